"""From the tables of the first version, with what was in them, to those of now: agreements and mapped projects stay what they were."""

from sqlalchemy import text
from tests.regions.negotiating import ID

from openstackoid.storage.databases import Database
from openstackoid.trust.agreements import State
from openstackoid.trust.contracts import ContractGrant, ContractSide, GrantState
from openstackoid.trust.grants import Grant
from openstackoid.trust.store import Store
from openstackoid.trust.tables import MIGRATIONS

PEER, FINGERPRINT = "CloudOne", "f" * 43
OLD = (
    (
        "INSERT INTO agreements (peer, id, url, fingerprint, state, allowed) VALUES "
        f"('{PEER}', '{'a' * 32}', 'https://one.example', '{FINGERPRINT}', 'active', '{{\"services\": [\"image\"]}}')"
    ),
    f"INSERT INTO projects (peer, foreign_id, local_id) VALUES ('{PEER}', '{'b' * 32}', '{'c' * 32}')",
    "UPDATE revision SET number = 7",
)


def test_agreements_and_projects_of_the_first_version_stay_beside_contracts(url: str) -> None:
    database = Database(url)
    with database.exclusive() as connection:
        MIGRATIONS.apply(connection)
        MIGRATIONS.downgrade(connection, "0001")
    with database.changing() as connection:
        for statement in OLD:
            connection.execute(text(statement))
    store = Store(url)
    store.upgrade()
    (agreement,) = store.agreements()
    found = (agreement.peer, agreement.id, agreement.url, agreement.fingerprint, agreement.state, agreement.party)
    assert found == (PEER, "a" * 32, "https://one.example", FINGERPRINT, State.ACTIVE, PEER)
    assert agreement.grant == Grant(services=("image",))
    assert store.projects.all(PEER) == [("b" * 32, "c" * 32)]
    assert store.projects.held(PEER)[0].gone is None
    assert store.revision() == 7
    # A contract with the same peer is a second party: it shares no project with the agreement.
    contract = ContractGrant(ID, PEER, ContractSide.PROVIDER, GrantState.ACTIVE, agreement.grant)
    store.contracts.replace(lambda: [contract])
    assert store.contracts.all() == [contract]
    assert contract.agreement(agreement).party == f"contract:{ID}"
    assert store.projects.all(f"contract:{ID}") == []
    store.close()
    database.close()
