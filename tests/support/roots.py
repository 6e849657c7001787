"""What the tests of roots share: reading them, and changing what is stored behind the back."""

from support.coppice import psql


def report(home, *arguments, **options):
    (found,) = home.json_lines("root", *arguments, **options)
    return found


def root(home, *arguments):
    return home.run("root", *arguments).strip()


def owner_url(home):
    """The role that may write the store of a private server."""
    return home.status()["database_url"].replace("coppice_reader@", "coppice@", 1)


def behind_the_back(home, text):
    return psql(owner_url(home), "SET session_replication_role = replica; " + text)


def store_of(home, table, column):
    """Where the cells of a column lie: ("coppice_store.t3", "c1")."""
    ((store, physical),) = home.values(
        "SELECT t.store_name, c.physical FROM coppice.tables t JOIN coppice.columns c "
        f"USING (table_id) WHERE t.table_name = '{table}' AND c.name = '{column}' "
        "AND c.to_version IS NULL"
    )
    return "coppice_store." + store, physical
