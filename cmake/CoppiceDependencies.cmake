# Every third-party library, found once; all are Debian 12 packages (scripts/packages).
# Those without a CMake package become imported targets here. Third-party headers are SYSTEM.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PostgreSQL REQUIRED)
find_package(CURL REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(simdjson REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(CLI11 REQUIRED)
pkg_check_modules(LIBEDIT REQUIRED IMPORTED_TARGET libedit)
pkg_check_modules(SODIUM REQUIRED IMPORTED_TARGET libsodium)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

find_library(PG_QUERY_LIBRARY pg_query REQUIRED)
add_library(pg_query SHARED IMPORTED)
set_target_properties(pg_query PROPERTIES IMPORTED_LOCATION ${PG_QUERY_LIBRARY})

# The codecs are linked by coppice-media only; the coppice program has none.
pkg_check_modules(FFMPEG REQUIRED IMPORTED_TARGET
                  libavformat libavcodec libavutil libswscale libswresample)
pkg_check_modules(VIPS REQUIRED IMPORTED_TARGET vips)
pkg_check_modules(TURBOJPEG REQUIRED IMPORTED_TARGET libturbojpeg)
pkg_check_modules(LIBMAGIC REQUIRED IMPORTED_TARGET libmagic)

if(COPPICE_TESTS)
  find_package(GTest REQUIRED)
endif()
