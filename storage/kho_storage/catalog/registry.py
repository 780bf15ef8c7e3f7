"""Who is who, in PostgreSQL."""

from kho_storage.catalog.agencies import PostgresAgencies
from kho_storage.catalog.database import Database
from kho_storage.catalog.grants import PostgresGrants
from kho_storage.catalog.officers import PostgresOfficers
from kho_storage.catalog.principals import PostgresPrincipals
from kho_storage.catalog_ports import RegistryCatalog


class PostgresRegistry(PostgresAgencies, PostgresOfficers, PostgresPrincipals, PostgresGrants, RegistryCatalog):
    """The registry whole; each base keeps one kind of registration."""

    def __init__(self, database: Database) -> None:
        """Take an opened database."""
        PostgresAgencies.__init__(self, database)
        PostgresOfficers.__init__(self, database)
        PostgresPrincipals.__init__(self, database)
        PostgresGrants.__init__(self, database)
