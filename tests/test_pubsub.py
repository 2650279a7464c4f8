"""Publish and subscribe where rows do not reach: counts, order, CLIENT REPLY, clients that leave, many receivers."""
import pytest

from tests.rows import PONG


@pytest.fixture
def server(fresh_server):
    return fresh_server()


def settled(client, *argv, wanted):
    """Repeat a command until it replies `wanted`: a connection's end is seen a little later."""
    for _ in range(500):
        reply = client.call(*argv)
        if reply == wanted:
            break
    return reply


def test_message_is_framed_for_each_protocol(server):
    with server.client() as publisher, server.client() as old, server.client(protocol=3) as new:
        old.call("SUBSCRIBE", "c")
        new.call("SUBSCRIBE", "c")
        assert publisher.call("PUBLISH", "c", "x") == 2
        old.read()
        new.read()
        assert old.raw == b"*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"
        assert new.raw == b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nx\r\n"


def test_subscriber_that_leaves_is_forgotten(server):
    with server.client() as watcher:
        with server.client() as leaving:
            leaving.call("SUBSCRIBE", "c")
            leaving.call("PSUBSCRIBE", "c*")
            leaving.call("SSUBSCRIBE", "c")
            assert watcher.call("PUBSUB", "NUMSUB", "c") == [b"c", 1]
        assert settled(watcher, "PUBSUB", "NUMPAT", wanted=0) == 0
        assert watcher.call("PUBSUB", "CHANNELS") == []
        assert watcher.call("PUBSUB", "SHARDCHANNELS") == []
        assert watcher.call("PUBLISH", "c", "x") == 0


def test_messages_come_in_order_and_none_is_lost(server):
    with server.client() as publisher, server.client() as subscriber:
        subscriber.call("SUBSCRIBE", "c")
        sent = [str(number).encode() for number in range(2000)]
        assert publisher.pipeline([("PUBLISH", "c", number) for number in sent]) == [1] * len(sent)
        assert [subscriber.read()[2] for _ in sent] == sent


def test_own_message_comes_after_the_reply(server):
    """Redis 7.2 changed this; before, the message came first."""
    with server.client(protocol=3) as client:
        client.call("SUBSCRIBE", "c")
        assert client.call("PUBLISH", "c", "x") == 1
        assert client.read() == [b"message", b"c", b"x"]


def test_own_messages_of_a_transaction_come_after_exec(server):
    with server.client(protocol=3) as client:
        client.call("SUBSCRIBE", "c")
        client.pipeline([("MULTI",), ("PUBLISH", "c", "x"), ("PUBLISH", "c", "y")])
        assert client.call("EXEC") == [1, 1]
        assert [client.read()[2], client.read()[2]] == [b"x", b"y"]


def test_reply_off_holds_back_replies_but_no_messages(server):
    with server.client() as publisher, server.client(protocol=3) as client:
        client.send("CLIENT", "REPLY", "OFF")
        client.send("PING")
        assert client.call("SUBSCRIBE", "c") == [b"subscribe", b"c", 1]
        assert publisher.call("PUBLISH", "c", "x") == 1
        assert client.read() == [b"message", b"c", b"x"]


def test_pipelined_subscription_keeps_the_order_of_replies(server):
    with server.client() as client:
        assert client.pipeline([("PING",), ("SUBSCRIBE", "c"), ("PING",), ("UNSUBSCRIBE",), ("PING",)]) == [
            PONG, [b"subscribe", b"c", 1], [b"pong", b""], [b"unsubscribe", b"c", 0], PONG]


def test_killed_subscriber_gets_nothing_more(server):
    with server.client() as killer, server.client() as victim:
        victim.call("SUBSCRIBE", "c")
        assert killer.call("CLIENT", "KILL", "TYPE", "pubsub") == 1
        assert settled(killer, "PUBLISH", "c", "x", wanted=0) == 0


def test_events_stop_and_go_with_their_listeners(server):
    """The engine reports changes only while there is a subscriber, and again when one comes."""
    with server.client() as writer:
        writer.call("CONFIG", "SET", "notify-keyspace-events", "KEA")
        writer.call("SET", "k", "1")
        with server.client() as listener:
            listener.call("SUBSCRIBE", "__keyevent@0__:set")
            writer.call("SET", "k", "2")
            assert listener.read() == [b"message", b"__keyevent@0__:set", b"k"]
            listener.call("UNSUBSCRIBE")
            writer.call("SET", "k", "3")
            listener.call("SUBSCRIBE", "__keyspace@0__:k")
            writer.call("DEL", "k")
            assert listener.read() == [b"message", b"__keyspace@0__:k", b"del"]
