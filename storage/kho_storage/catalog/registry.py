"""Who is who, in PostgreSQL."""

from kho_storage.catalog.agencies import PostgresAgencies
from kho_storage.catalog.grants import PostgresGrants
from kho_storage.catalog.officers import PostgresOfficers
from kho_storage.catalog.principals import PostgresPrincipals
from kho_storage.catalog_ports import RegistryCatalog


class PostgresRegistry(PostgresAgencies, PostgresOfficers, PostgresPrincipals, PostgresGrants, RegistryCatalog):
    """The registry whole; each base keeps one kind of registration."""
