"""The background tasks of the control plane, one line each."""

from collections.abc import Coroutine
from functools import partial
from typing import Any

from csu import keys
from csu.alarms import norms
from csu.alarms.keeper import AlarmKeeper
from csu.alarms.norms import NormKeeper
from csu.audit import security, sequencer
from csu.audit.anchors import TURN_S as ANCHORS_S
from csu.audit.anchors import AnchorKeeper
from csu.audit.heads import EVERY_S, HeadSigner
from csu.cameras.secrets import SecretBox
from csu.centre_state import Centre
from csu.links.gateway_link import Renewer, SpoolPuller
from csu.links.recorder_link import FactsPuller, OrderPusher, StatusPoller
from csu.loop import repeat
from csu.persons.keeper import EVERY_S as PERSONS_S
from csu.persons.keeper import PersonKeeper
from csu.statements.signer import EVERY_S as STATEMENTS_S
from csu.statements.signer import StatementSigner
from csu.territory import clock
from csu.territory.clock import DeadlineKeeper
from recorder.channel import ChannelClient


def tasks(centre: Centre, heads: HeadSigner) -> list[Coroutine[Any, Any, None]]:
    """Each takes turns for ever and outlives its peers. A channel of its own each: none waits behind another.

    Raises csu.keys.KeyFileError.
    """
    paths = centre.settings.paths
    _, orders_key = keys.load_private(paths.keys, "orders")
    box = SecretBox(paths.keys)
    statements = StatementSigner(centre.store, *centre.statements_key, centre.now)

    def recorder() -> ChannelClient:
        return ChannelClient(paths.recorder_socket)

    def gateway() -> ChannelClient:
        return ChannelClient(paths.gateway_socket)

    pusher = OrderPusher(centre, recorder(), box, orders_key)
    number = partial(sequencer.sequence, centre.store)
    return [
        centre.events.run(),
        repeat("journal's sequencer", number, sequencer.TURN_S, centre.sequencer_wake),
        repeat("journal's heads", heads.sign, EVERY_S),
        repeat("journal's anchors", AnchorKeeper(centre).run_once, ANCHORS_S),
        repeat("files of secrets", security.SecretsWatch(centre).run_once, security.SECRETS_S),
        repeat("security events", partial(security.write, centre.store, centre.security), security.TURN_S),
        repeat("orders", pusher.run_once, 2.0, centre.orders_wake),
        repeat("recorder's states", StatusPoller(centre, recorder()).run_once, 2.0),
        repeat("recorder's facts", FactsPuller(centre, recorder()).run_once, 1.0),
        repeat("open pictures", Renewer(centre, gateway()).run_once, 2.0, centre.renewer_wake),
        repeat("served pictures", SpoolPuller(centre, gateway()).run_once, 2.0),
        repeat("statements", statements.run_once, STATEMENTS_S),
        repeat("authorisations' clocks", DeadlineKeeper(centre).run_once, clock.EVERY_S),
        repeat("streams' norms", NormKeeper(centre).run_once, norms.EVERY_S),
        repeat("alarms", AlarmKeeper(centre).run_once, 1.0),
        repeat("persons", PersonKeeper(centre).run_once, PERSONS_S),
    ]
