"""What a database's schema is, in PostgreSQL's own words."""

from kho_storage.catalog.database import Connection

_QUERIES = {
    "columns": """
        SELECT c.relname, c.relkind::text, c.relispartition, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, pg_get_expr(d.adbin, d.adrelid), pg_get_expr(c.relpartbound, c.oid)
        FROM pg_class AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'kho'::regnamespace
        ORDER BY c.relname, a.attnum""",
    "constraints": """
        SELECT r.relname, c.conname, pg_get_constraintdef(c.oid)
        FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid
        WHERE c.connamespace = 'kho'::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'kho' ORDER BY 1",
    "views": "SELECT viewname, definition FROM pg_views WHERE schemaname = 'kho' ORDER BY 1",
    "functions": """
        SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'kho'::regnamespace ORDER BY 1""",
    "triggers": """
        SELECT r.relname, t.tgname, pg_get_triggerdef(t.oid)
        FROM pg_trigger AS t JOIN pg_class AS r ON r.oid = t.tgrelid
        WHERE r.relnamespace = 'kho'::regnamespace AND NOT t.tgisinternal ORDER BY 1, 2""",
}


async def schema_facts(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return everything that makes the schema `kho` what it is, without its rows."""
    return {name: [tuple(row.values()) for row in await connection.fetch(query)] for name, query in _QUERIES.items()}
