#!/usr/bin/env bash
# run.sh: a library of photos, videos, sounds and documents, from files to an HTML contact sheet.
#
#   examples/media_library/run.sh FOLDER
#
# Makes a home, applies schema.sql, takes the media of a few Debian packages in, queries them, undoes
# a mistake, and leaves thumbnails and a contact sheet in FOLDER. Then backs it up, destroys the home,
# restores it, proves that it is the same, and runs a drill. Fails when a count is not what it must be.
#
# Uses     COPPICE        the program (default: coppice on PATH)
#          COPPICE_HOME   the home to make (default: FOLDER/home); it must not exist yet
set -euo pipefail
export LC_ALL=C.UTF-8

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:?usage: run.sh FOLDER}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
coppice=${COPPICE:-$(command -v coppice)}
export COPPICE_HOME=${COPPICE_HOME:-$folder/home}
media=$folder/media
sheet=$folder/contact_sheet

fail() {
  printf 'run.sh: %s\n' "$1" >&2
  exit 1
}

say() { printf '\n-- %s\n' "$1"; }

# Shows a command as it would be typed.
show() {
  printf '$ coppice'
  local word
  for word in "$@"; do
    case $word in
      *"'"*) printf ' "%s"' "$word" ;;
      *[!A-Za-z0-9_./=:-]*) printf " '%s'" "$word" ;;
      *) printf ' %s' "$word" ;;
    esac
  done
  printf '\n'
}

run() {
  show "$@"
  "$coppice" "$@"
}

# The same, with long lines cut.
run_cut() {
  show "$@"
  "$coppice" "$@" | cut --characters=1-110
}

value() { "$coppice" sql --csv --quiet "$1" | tail -n 1; }

# expect WHAT WANTED FOUND
expect() {
  [[ $2 == "$3" ]] || fail "$1: $2 expected, $3 found"
  printf '   %-34s %s\n' "$1" "$3"
}

# Where the packages' files are. Some containers leave /usr/share/doc out: then they are unpacked
# once more below FOLDER.
find_packages() {
  local file
  usr=/usr
  for file in doc/opencv-doc/examples/data/vtest.avi sounds/alsa/Noise.wav \
    pocketsphinx/test/data/cards/001.wav doc/debian-policy/policy.pdf.gz \
    doc/debian/FAQ/debian-faq.en.pdf.gz maint-guide/maint-guide.en.pdf \
    developers-reference/developers-reference.pdf; do
    [[ -e $usr/share/$file || -e $usr/share/doc/$file ]] || usr=$folder/packages/usr
  done
  if [[ $usr == /usr || -e $usr ]]; then return; fi
  echo "   this system leaves documentation out: downloading the packages once more"
  mkdir -p "$folder/packages/archives"
  (
    cd "$folder/packages/archives"
    apt-get download opencv-doc alsa-utils pocketsphinx-testdata debian-policy debian-faq \
      developers-reference maint-guide >/dev/null 2>&1
  ) || fail "the packages with the media cannot be downloaded; look at: apt-get download opencv-doc"
  for file in "$folder"/packages/archives/*.deb; do dpkg-deb --extract "$file" "$folder/packages"; done
}

gather() {
  rm -rf "$media"
  mkdir -p "$media"/{photos,videos,sounds,documents}
  local doc=$usr/share/doc file
  find "$doc/opencv-doc/examples" -type f \( -iname '*.jpg' -o -iname '*.jpeg' -o -iname '*.png' \) \
    -exec cp --target-directory="$media/photos" {} +
  cp "$doc"/opencv-doc/examples/data/*.avi "$media/videos"
  for file in box cup; do
    gzip -dc "$doc/opencv-doc/opencv4/html/$file.mp4.gz" >"$media/videos/$file.mp4"
  done
  cp "$usr"/share/sounds/alsa/*.wav "$usr"/share/pocketsphinx/test/data/*/*.wav "$media/sounds"
  for file in debian-policy/policy.pdf debian-policy/fhs/fhs-3.0.pdf debian/FAQ/debian-faq.en.pdf; do
    gzip -dc "$doc/$file.gz" >"$media/documents/$(basename "$file")"
  done
  cp "$usr/share/developers-reference/developers-reference.pdf" "$media/documents"
  cp "$doc"/maint-guide/maint-guide.en.pdf "$doc"/debian-policy/perl-policy.html/ch*.html \
    "$media/documents"
}

count_files() { find "$media/$1" -type f | wc -l; }

# As many rows as files, and at least what makes it worth looking at.
check_rows() {
  local files rows
  files=$(count_files "$1s")
  rows=$(value "SELECT count(*) FROM library.$1")
  [[ $files -ge $2 ]] || fail "only $files files of the kind $1, at least $2 expected"
  expect "rows of library.$1" "$files" "$rows"
}

write_sheet() {
  local query
  query="SELECT '<figure><img alt='''' src=''thumbnails/' || replace(thumbnail::text, 'media:', '')
           || '''><figcaption>' || replace(replace(replace(replace(file, '&', '&amp;'), '<', '&lt;'),
           ',', '&#44;'), '\"', '&quot;') || '</figcaption></figure>' AS figure
         FROM library.thumbnail WHERE thumbnail IS NOT NULL ORDER BY kind, file"
  {
    echo '<!doctype html><meta charset="utf-8"><title>Media library</title><style>'
    echo 'body{font:13px sans-serif;display:flex;flex-wrap:wrap}figure{width:170px;margin:6px}'
    echo 'img{max-width:160px}figcaption{overflow-wrap:anywhere}</style>'
    "$coppice" export "$query" --format csv | tail -n +2
  } >"$sheet/index.html"
}

[[ -n $coppice ]] || fail "coppice is not on PATH; set COPPICE to the program"
[[ ! -e $COPPICE_HOME ]] || fail "$COPPICE_HOME is there already; choose another COPPICE_HOME"

say "Media from Debian packages"
find_packages
gather
for kind in photos videos sounds documents; do
  printf '   %-10s %4d files, %s\n' "$kind" "$(count_files $kind)" \
    "$(du -sh "$media/$kind" | cut -f1)"
done

say "A home, and a schema of four tables whose columns compute themselves"
run init --quiet
show apply "$here/schema.sql"
"$coppice" apply "$here/schema.sql" --csv | grep -o '^create [a-z]*,[a-z.]*' | sed 's/,/ /; s/^/   /'
run ls library

say "Each file becomes a row: sizes, durations, text, fingerprints and thumbnails follow"
for kind in photo video sound document; do run insert "library.$kind" --from "$media/${kind}s"; done
check_rows photo 100
check_rows video 3
check_rows sound 5
check_rows document 5
expect "photos with a thumbnail" "$(count_files photos)" \
  "$(value 'SELECT count(thumbnail) FROM library.photo')"
expect "PDFs with a picture of page 1" "$(find "$media/documents" -name '*.pdf' | wc -l)" \
  "$(value 'SELECT count(thumbnail) FROM library.document')"
expect "videos with a duration" "$(count_files videos)" \
  "$(value 'SELECT count(*) FROM library.video WHERE seconds > 0')"

say "HTML has no pages to draw: on_error 'ignore' leaves those cells NULL, and tells"
run_cut sql "SELECT file, pages, thumbnail IS NULL AS no_thumbnail FROM library.document ORDER BY file LIMIT 3"
run_cut errors library.document
expect "cells that failed" "$(find "$media/documents" -name '*.html' | wc -l)" \
  "$("$coppice" errors library.document --json | wc -l)"

say "Questions"
run sql 'SELECT file, round(seconds::numeric, 1) AS seconds, round(fps::numeric, 1) AS fps FROM library.video ORDER BY seconds DESC'
run sql 'SELECT title, pages, words FROM library.document WHERE pages > 1 ORDER BY words DESC'
run sql "SELECT a.file, b.file AS looks_like, length(replace((('x' || a.fingerprint)::bit(64) # ('x' || b.fingerprint)::bit(64))::text, '0', '')) AS bits_differ FROM library.photo a JOIN library.photo b ON a.file < b.file ORDER BY 3, 1, 2 LIMIT 5"
run sql 'SELECT file, frame_count(clip), mime_type(clip) FROM library.video WHERE seconds < 10 ORDER BY file'

say "A column added later is computed for the rows that are there"
run sql "ALTER TABLE library.photo ADD COLUMN shape text GENERATED ALWAYS AS (CASE WHEN width > height THEN 'wide' WHEN width < height THEN 'tall' ELSE 'square' END) STORED"
run sql 'SELECT shape, count(*) FROM library.photo GROUP BY 1 ORDER BY 2 DESC'
expect "photos with a shape" "$(count_files photos)" \
  "$(value 'SELECT count(shape) FROM library.photo')"

say "A mistake"
before=$(value 'SELECT count(*) FROM library.photo')
run sql "DELETE FROM library.photo WHERE shape = 'wide'"
after=$(value 'SELECT count(*) FROM library.photo')
[[ $after -lt $before ]] || fail "the DELETE found nothing to delete"
run sql 'SELECT (SELECT count(*) FROM library.photo) AS now, (SELECT count(*) FROM library."photo:2") AS in_version_2'
expect "photos in version 2" "$before" "$(value 'SELECT count(*) FROM library."photo:2"')"
run_cut history library.photo

say "Undone"
run revert library.photo --to 2 --yes
expect "photos again" "$before" "$(value 'SELECT count(*) FROM library.photo')"
expect "versions of library.photo" 5 "$("$coppice" history library.photo --json | wc -l)"

say "The same rows in psql, without Coppice in between"
url=$("$coppice" status --json | sed -n 's/.*"database_url": *"\([^"]*\)".*/\1/p')
psql --no-psqlrc --dbname "$url" --command \
  'SELECT kind, count(*), count(thumbnail) AS thumbnails FROM library.thumbnail GROUP BY 1 ORDER BY 1'

say "Thumbnails and a contact sheet"
rm -rf "$sheet"
for kind in photo video document; do
  "$coppice" media export "library.$kind.thumbnail" "$sheet/thumbnails" --quiet >/dev/null
done
write_sheet
expect "pictures on the contact sheet" \
  "$(value 'SELECT count(*) FROM library.thumbnail WHERE thumbnail IS NOT NULL')" \
  "$(grep -c '<figure>' "$sheet/index.html")"
missing=$(grep -o "thumbnails/[0-9a-z.]*" "$sheet/index.html" | sort -u | while read -r file; do
  [[ -s $sheet/$file ]] || echo "$file"
done)
[[ -z $missing ]] || fail "the contact sheet shows files that are not there: $missing"

say "A backup, a change, and a second backup that costs only the change"
repository=$folder/backups
rm -rf "$repository"
export COPPICE_REPO_PASSWORD=${COPPICE_REPO_PASSWORD:-a passphrase for this demo}
run backup create --repo "$repository"
run sql "UPDATE library.photo SET file = 'favourite: ' || file WHERE shape = 'square'"
run backup create --repo "$repository" --tag demo
run_cut backup list --repo "$repository"
expect "backups" 2 "$("$coppice" backup list --repo "$repository" --json --quiet | wc -l)"

say "The home is destroyed"
root=$("$coppice" root)
rows=$(value 'SELECT count(*) FROM library.thumbnail')
run stop
rm -rf -- "$COPPICE_HOME"

say "It grows back from the repository and its key, and proves that it is the same"
run restore --repo "$repository"
expect "root of what was restored" "$root" "$("$coppice" root)"
expect "thumbnails again" "$rows" "$(value 'SELECT count(*) FROM library.thumbnail')"
expect "versions of library.photo" 6 "$("$coppice" history library.photo --json | wc -l)"

say "A drill: restored once more in a scratch home, asked, measured, removed"
cat >"$folder/checks.sql" <<'END'
SELECT count(*) >= 100 FROM library.photo;
SELECT count(*) > 0 FROM library.photo WHERE file LIKE 'favourite: %';
END
drill=$("$coppice" drill --repo "$repository" --assertions "$folder/checks.sql" --scratch "$folder" \
  --report "$folder/drill" --json --quiet)
measured() { sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p" <<<"$drill"; }
[[ $drill == *'"passed":true'* ]] || fail "the drill did not pass: $drill"
printf '   %-34s %s s (first query after %s s)\n' "measured time to recover (RTO)" \
  "$(measured total)" "$(measured first_query)"
printf '   %-34s %s s\n' "measured loss window (RPO)" "$(measured rpo_seconds)"
run drill verify "$folder/drill.html" --repo "$repository"

cat <<END

   thumbnails      $sheet/thumbnails
   contact sheet   $sheet/index.html
   the home        $COPPICE_HOME   (its server: coppice stop)
   its backups     $repository
   the drill       $folder/drill.html

To look around:
   export COPPICE_HOME=$COPPICE_HOME
   coppice shell
To have coppice at hand:
   export PATH="$(dirname "$coppice"):\$PATH"
END
