"""Row 72: requisitions are for those who handle and those who control them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legal.acts import Act, Allowed, Refused
from legal.facts import (
    Actor,
    Authorisation,
    Basis,
    Camera,
    Category,
    Commune,
    Habilitation,
    Regime,
    Right,
    Role,
    Subject,
    Validity,
)
from legal.motifs import KINDS, REPLAY, Motif
from legal.permissions import decide
from legal.scope import is_open_to
from legal.secrecy import secrets_from

AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
YEAR = Validity(AT - timedelta(days=100), AT + timedelta(days=100))
HELD = Habilitation("h", "27681", Basis.DELEGATION, frozenset(Right), YEAR)
ELECTED = Actor("a", Role.DELEGATE, Category.ELU, "27681", None, (HELD,))
LINE = Authorisation("l", frozenset({"5"}), True, True, YEAR)
STREET = Subject(Commune("27681", "Vernon", "27", ()), Camera("c", Regime.VOIE_PUBLIQUE, (LINE,)))
actors = st.builds(
    Actor, st.just("a"), st.sampled_from(Role), st.sampled_from(Category), st.none(), st.none(), st.just(())
)


@given(actors, st.sampled_from([code for code, kind in KINDS.items() if REPLAY in kind.acts]))
def test_row_72_no_replay_is_told_from_another_by_its_motif(reader: Actor, code: str) -> None:
    secrets = secrets_from(reader)
    assert secrets.withholds(code) == secrets.withholds("REQUISITION")
    assert secrets.withholds("REQUISITION") == (Act.HOLD_PUT in secrets.ops)
    # What is no longer, or not yet, a motif of ours is kept too.
    assert secrets.withholds("RETIRED") == secrets.withholds("REQUISITION")


@pytest.mark.parametrize("category", [Category.PM, Category.ELU])
@pytest.mark.parametrize("role", Role)
def test_row_72_whose_secret_it_is(role: Role, category: Category) -> None:
    """Never the elected's, whatever role they were given."""
    reader = replace(ELECTED, role=role, category=category)
    secrets = secrets_from(reader)
    kept = category is Category.ELU or role in (Role.OPERATOR, Role.DELEGATE)
    assert secrets.withholds("REQUISITION") == kept
    assert not secrets.withholds("SECURITE")
    assert not secrets.withholds(None)
    for act in (Act.HOLD_LIST, Act.HOLD_PUT, Act.HOLD_RELEASE):
        assert not (kept and isinstance(decide(reader, act, Subject(), None, AT), Allowed))
    assert isinstance(decide(reader, Act.HOLD_LIST, Subject(), None, AT), Allowed) == (secrets.ops == frozenset())


def test_row_72_the_elected_replay_nothing_for_a_requisition() -> None:
    other = decide(ELECTED, Act.PICTURE_REPLAY, STREET, Motif("INTERVENTION", "2026-1"), AT)
    assert isinstance(other, Allowed)
    refused = decide(ELECTED, Act.PICTURE_REPLAY, STREET, Motif("REQUISITION", "2026-1"), AT)
    assert isinstance(refused, Refused)
    assert refused.code == "REGIME_ROLE_FORBIDDEN"
    assert "quisition" not in refused.reason
    assert not is_open_to(replace(ELECTED, role=Role.OPERATOR), KINDS["REQUISITION"])
    police = replace(ELECTED, role=Role.OPERATOR, category=Category.PM)
    assert is_open_to(police, KINDS["REQUISITION"])
