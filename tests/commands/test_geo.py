"""Geospatial indexes: rows, and searches at random beside real servers and by going through all members."""
import math
import random

import pytest

from tests.resp import Error
from tests.rows import (
    NIL_ARRAY,
    NOT_FLOAT,
    NOT_INTEGER,
    OK,
    R3,
    SYNTAX,
    WRONGTYPE,
    Any,
    Unordered,
    heard,
    listen,
    wrong_args,
)
from tests.servers import peer_server

UNIT = Error("ERR unsupported unit provided. please use M, KM, FT, MI")
NO_MEMBER = Error("ERR could not decode requested zset member")
SICILY = ("GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", 2)
TOWNS = [SICILY, ("GEOADD g 12.758489 38.788135 edge1 17.241510 38.788135 edge2", 2)]


def off_the_map(lon, lat):
    return Error(f"ERR invalid longitude,latitude pair {lon:f},{lat:f}")


def at(lon, lat):
    """A position: bulk strings in RESP2, doubles in RESP3."""
    return R3([lon, lat], [float(lon), float(lat)])


PALERMO = at("13.36138933897018433", "38.11555639549629859")
CATANIA = at("15.08726745843887329", "37.50266842333162032")

CASES = {
    "GEOADD adds, moves and counts": [
        SICILY, ("GEOADD g 13.361389 38.115556 Palermo", 0), ("GEOADD g CH 13.5 38 Palermo", 1),
        ("GEOADD g NX CH 1 1 Palermo 2 2 new", 1), ("GEOADD g XX 1 1 none", 0), ("GEOADD g XX CH 1 1 new", 1),
        ("ZCARD g", 3), ("ZSCORE g Catania", R3("3479447370796909", 3479447370796909.0)),
        ("OBJECT ENCODING g", "listpack"), ("ZRANK g Catania", 2),
    ],
    "GEOADD refuses bad arguments": [
        ("GEOADD g 1 1", wrong_args("geoadd")), ("GEOADD g 1 1 a 2", SYNTAX), ("GEOADD g NX XX 1 1 a", SYNTAX),
        ("GEOADD g NX CH XX", SYNTAX), ("GEOADD g 1 1 a b 1 c", NOT_FLOAT), ("GEOADD g 181 1 a", off_the_map(181, 1)),
        ("GEOADD g 1 86 a", off_the_map(1, 86)), ("GEOADD g 1 -85.06 a", off_the_map(1, -85.06)),
        ("GEOADD g nan 1 a", NOT_FLOAT), ("GEOADD g inf 1 a", off_the_map(math.inf, 1)), ("EXISTS g", 0),
        ("GEOADD g -180 -85.05112878 low 180 85.05112878 high", 2), ("SET s v", OK), ("GEOADD s 1 1 a", WRONGTYPE),
        ("GEOADD g 1 1 a 2 99 b", off_the_map(2, 99)), ("ZCARD g", 2),
    ],
    "GEOADD tells": [
        *listen(), SICILY, ("GEOADD g 13.361389 38.115556 Palermo", 0), *heard("zadd g"),
    ],
    "GEOPOS and GEOHASH": [
        *TOWNS, ("GEOHASH g Palermo none Catania", ["sqc8b49rny0", None, "sqdtr74hyu0"]),
        ("GEOPOS g Palermo none", [PALERMO, NIL_ARRAY]), ("GEOPOS g Catania", [CATANIA]),
        ("GEOHASH none a", [None]), ("SET s v", OK), ("GEOPOS s a", WRONGTYPE),
        ("GEOHASH s a", WRONGTYPE), ("GEOPOS g", []), ("GEOHASH g", []), ("GEOPOS", wrong_args("geopos")),
    ],
    "positions of any scores": [
        ("ZADD z 0 zero 1.5 some 4503599627370495 high -5 below 9007199254740993 above", 5),
        ("GEOPOS z zero some high", [at("-179.99999731779098511", "-85.05112751263942528"),
                                     at("-179.99999731779098511", "-85.05112497791824921"),
                                     at("179.99999731779098511", "85.05112751263942528")]),
        ("GEOHASH z zero some above", [Any(), Any(), Any()]), ("GEOPOS z below above", [Any(), Any()]),
        ("GEODIST z zero zero", "0.0000"),
    ],
    "GEODIST": [
        SICILY, ("GEODIST g Palermo Catania", "166274.1516"), ("GEODIST g Palermo Catania km", "166.2742"),
        ("GEODIST g Palermo Catania MI", "103.3182"), ("GEODIST g Palermo Catania ft", "545518.8700"),
        ("GEODIST g Palermo none", None), ("GEODIST none a b", None), ("GEODIST g Palermo Palermo", "0.0000"),
        ("GEODIST g Palermo Catania cm", UNIT), ("GEODIST g a b m x", SYNTAX), ("SET s v", OK),
        ("GEODIST s a b", WRONGTYPE), ("GEODIST s a b cm", UNIT), ("GEODIST g a", wrong_args("geodist")),
    ],
    "GEOSEARCH": [
        *TOWNS, ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC", ["Catania", "Palermo"]),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km DESC", ["Palermo", "Catania"]),
        ("GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHCOORD WITHDIST", [
            ["Catania", "56.4413", CATANIA], ["Palermo", "190.4424", PALERMO],
            ["edge2", "279.7403", at("17.24151045083999634", "38.78813451624225195")],
            ["edge1", "279.7405", at("12.7584877610206604", "38.78813451624225195")]]),
        ("GEOSEARCH g FROMMEMBER Palermo BYRADIUS 0 m WITHHASH", [["Palermo", 3479099956230698]]),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 500 km COUNT 3", ["Catania", "Palermo", "edge2"]),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 500 km COUNT 9 DESC", ["edge1", "edge2", "Palermo", "Catania"]),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 500 km COUNT 1 ANY", [Any()]),
        ("GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 km", []),
        ("GEOSEARCH g FROMLONLAT 15 37 ASC DESC BYRADIUS 200 km ASC", ["Catania", "Palermo"]),
        ("GEOSEARCH none FROMMEMBER x BYRADIUS 1 m", []), ("GEOSEARCH none FROMLONLAT 1 1 BYBOX 1 1 m", []),
    ],
    "GEOSEARCH refuses bad arguments": [
        SICILY, ("GEOSEARCH g FROMMEMBER none BYRADIUS 1 m", NO_MEMBER),
        ("GEOSEARCH g FROMLONLAT 1 1 FROMMEMBER Palermo BYRADIUS 1 m", SYNTAX),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m BYBOX 1 1 m", SYNTAX),
        ("GEOSEARCH g BYRADIUS 1 m ASC ASC", Error(
            "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for GEOSEARCH")),
        ("geosearch g FROMLONLAT 1 1 ASC DESC", Error(
            "ERR exactly one of BYRADIUS and BYBOX can be specified for geosearch")),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS x m", Error("ERR need numeric radius")),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS -1 m", Error("ERR radius cannot be negative")),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 cm", UNIT),
        ("GEOSEARCH g FROMLONLAT 1 1 BYBOX x 1 m", Error("ERR need numeric width")),
        ("GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 x m", Error("ERR need numeric height")),
        ("GEOSEARCH g FROMLONLAT 1 1 BYBOX 1 -1 m", Error("ERR height or width cannot be negative")),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m COUNT 0", Error("ERR COUNT must be > 0")),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m COUNT x", NOT_INTEGER),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m ANY", Error("ERR the ANY argument requires COUNT argument")),
        ("GEOSEARCH g FROMLONLAT 1 99 BYRADIUS 1 m", off_the_map(1, 99)),
        ("GEOSEARCH g FROMLONLAT 1 1 BYRADIUS 1 m STOREDIST", SYNTAX), ("SET s v", OK),
        ("GEOSEARCH s FROMLONLAT x", wrong_args("geosearch")), ("GEOSEARCH s FROMLONLAT x 1 BYRADIUS 1 m", WRONGTYPE),
    ],
    "GEOSEARCHSTORE": [
        *TOWNS, *listen(classes="EA"), ("GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km", 2),
        ("ZRANGE d 0 -1 WITHSCORES", R3(["Palermo", "3479099956230698", "Catania", "3479447370796909"],
                                        [["Palermo", 3479099956230698.0], ["Catania", 3479447370796909.0]])),
        ("GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST COUNT 1 ASC", 1),
        ("ZRANGE d 0 -1", ["Catania"]), ("GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m", 0), ("EXISTS d", 0),
        ("GEOSEARCHSTORE g g FROMMEMBER Catania BYRADIUS 1 m", 1), ("ZRANGE g 0 -1", ["Catania"]),
        ("GEOSEARCHSTORE g none FROMMEMBER Catania BYRADIUS 1 m", 0), ("EXISTS g", 0),
        *heard("geosearchstore d", "geosearchstore d", "del d", "geosearchstore g", "del g"),
        ("GEOSEARCHSTORE d g FROMLONLAT 1 1 BYRADIUS 1 m WITHDIST", Error(
            "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options")),
    ],
    "GEORADIUS and its kin": [
        *TOWNS, ("GEORADIUS g 15 37 200 km ASC", ["Catania", "Palermo"]),
        ("GEORADIUS_RO g 15 37 200 km DESC COUNT 1", ["Palermo"]),
        ("GEORADIUSBYMEMBER g Catania 200 km ASC WITHDIST", [["Catania", "0.0000"], ["Palermo", "166.2742"]]),
        ("GEORADIUSBYMEMBER_RO g Catania 1 km", ["Catania"]), ("GEORADIUS g 15 37 200 km STORE d", 2),
        ("GEORADIUSBYMEMBER g Catania 200 km STOREDIST d COUNT 1", 1),
        ("ZRANGE d 0 -1 WITHSCORES", R3(["Catania", "0"], [["Catania", 0.0]])),
        ("GEORADIUS_RO g 15 37 200 km STORE d", SYNTAX), ("GEORADIUSBYMEMBER_RO g Catania 1 km STORE d", SYNTAX),
        ("GEORADIUS g 15 37 200 km STORE d WITHDIST", Error(
            "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options")),
        ("GEORADIUSBYMEMBER g none 1 m", NO_MEMBER), ("GEORADIUSBYMEMBER none a x cm", []),
        ("GEORADIUS none 1 1 x m", Error("ERR need numeric radius")), ("GEORADIUS g 1 1 1 cm", UNIT),
        ("GEORADIUS g 1 1 1 m FROMMEMBER Catania", SYNTAX), ("GEORADIUS none 1 1 1 m STORE d", 0), ("EXISTS d", 0),
        ("GEORADIUS g 1 1 1 m COUNT", SYNTAX), ("GEORADIUS g 1 1 1", wrong_args("georadius")),
    ],
    "the keys of a search": [
        ("COMMAND GETKEYS GEORADIUS a 1 1 1 m STORE b", ["a", "b"]),
        ("COMMAND GETKEYS GEOSEARCHSTORE a b FROMLONLAT 1 1 BYRADIUS 1 m", ["a", "b"]),
        ("COMMAND GETKEYS GEORADIUSBYMEMBER a m 1 m", ["a"]),
    ],
    "around the whole earth": [
        ("GEOADD g 179.9 0 east -179.9 0 west 0 0 middle 0 84 north 0 -84 south", 5),
        ("GEOSEARCH g FROMLONLAT 0 0 BYRADIUS 9400 km", Unordered(["middle", "north", "south"])),
        ("GEOSEARCH g FROMLONLAT 180 0 BYRADIUS 100 km", ["east"]),
        ("GEOSEARCH g FROMLONLAT 0 0 BYBOX 40000 40000 km COUNT 2", ["middle", "south"]),
    ],
}


def test_rows(row_case):
    row_case.check()


# --- at random ---------------------------------------------------------------------------------


def arguments(chance):
    """The arguments of a search, of any size and anywhere."""
    size = 10 ** chance.uniform(0, 4.3)
    words = ["FROMLONLAT", chance.uniform(-180, 180), chance.choice([chance.uniform(-85, 85), chance.uniform(60, 85)])]
    if chance.random() < 0.5:
        words += ["BYRADIUS", size, "km"]
    else:
        words += ["BYBOX", size, size * chance.uniform(0.1, 2), "km"]
    if chance.random() < 0.2:
        words += ["COUNT", chance.randrange(1, 20), "ANY"]
    return [*words, *chance.choice([[], ["ASC"], ["DESC"]]), "WITHDIST", "WITHHASH"]


def some_members(chance, count):
    words = ["GEOADD", "g"]
    for n in range(count):
        words += [chance.uniform(-180, 180), chance.uniform(-85, 85), f"member:{n}" if n % 3 else n]
    return words


@pytest.mark.parametrize("members", [100, 3000])
def test_a_real_server_finds_the_same(fresh_server, members):
    """In the same order, with the same digits; in a listpack and a tree."""
    chance = random.Random(members)
    add = some_members(chance, members)
    with fresh_server().client() as client, fresh_server(kind="peer").client() as peer:
        assert client.call(*add) == peer.call(*add) == members
        found = 0
        for _ in range(400):
            words = arguments(chance)
            reply = client.call("GEOSEARCH", "g", *words)
            assert reply == peer.call("GEOSEARCH", "g", *words), words
            found += len(reply)
    assert found > members


def test_polygons(fresh_server, valkey):
    """The same members at the same distances as Valkey's; errors, too."""
    chance = random.Random(5)
    add = some_members(chance, 3000)
    with fresh_server().client() as client, peer_server(valkey.path) as server, server.client() as peer:
        assert client.call(*add) == peer.call(*add) == 3000
        found = 0
        for _ in range(200):
            lon, lat, size = chance.uniform(-150, 150), chance.uniform(-60, 60), chance.uniform(0.1, 25)
            corners = [round(middle + chance.uniform(-size, size), 3) for _ in range(chance.randrange(3, 9))
                       for middle in (lon, lat)]
            words = ["BYPOLYGON", len(corners) // 2, *corners, "WITHDIST", "ASC"]
            reply = client.call("GEOSEARCH", "g", *words)
            assert reply == peer.call("GEOSEARCH", "g", *words), words
            found += len(reply)
        assert found > 1000
        for words in ("BYPOLYGON 2 1 1 2 2 ASC", "BYPOLYGON 3 1 1 2 2 3", "BYPOLYGON x 1 1 2 2 3 3",
                      "BYPOLYGON 3 1 1 2 2 3 99", "BYPOLYGON 3 1 1 2 2 3 3 BYRADIUS 1 m",
                      "FROMLONLAT 1 1 BYPOLYGON 3 1 1 2 2 3 3", "BYPOLYGON 3 1 1 2 2 3 3 FROMLONLAT 1 1"):
            reply = client.call("GEOSEARCH", "g", *words.split())
            assert reply == peer.call("GEOSEARCH", "g", *words.split()) and isinstance(reply, Error), words
        words = ["BYPOLYGON", "4", "0", "0", "90", "0", "90", "80", "0", "80"]
        assert client.call("GEOSEARCHSTORE", "d", "g", *words) == peer.call("GEOSEARCHSTORE", "d", "g", *words) > 0
        assert client.call("ZRANGE", "d", 0, -1, "WITHSCORES") == peer.call("ZRANGE", "d", 0, -1, "WITHSCORES")
