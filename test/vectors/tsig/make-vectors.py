#!/usr/bin/python3
"""Makes dnspython.json and dig.json: what other programs sign.

    /usr/bin/python3 test/vectors/tsig/make-vectors.py

needs Debian's python3-dnspython, bind9-dnsutils (dig) and knot-dnsutils (kdig). dnspython's vectors repeat; those of
dig and kdig hold the time at which they were made.
"""

import base64
import json
import os
import socket
import subprocess
import time

import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import dns.tsig

FOLDER = os.path.dirname(os.path.abspath(__file__))
NOW = 1893456000
SECRET = bytes(range(1, 41))
ALGORITHMS = ["hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512"]


def key_of(algorithm):
    return dns.tsig.Key("Transfer.Example.", SECRET, algorithm + ".")


def fixed_time(wire_of, seconds):
    real = time.time
    time.time = lambda: seconds
    try:
        return wire_of()
    finally:
        time.time = real


def query_for(algorithm, message_id=0x1234):
    query = dns.message.make_query("Zone.Example.", "AXFR")
    query.id = message_id
    query.flags = 0
    query.use_tsig(key_of(algorithm), fudge=300)
    return query


def answer_to(query, index, count):
    answer = dns.message.make_response(query)
    answer.tsig = None
    for number in range(count):
        name = "host-%d-%d.zone.example." % (index, number)
        answer.answer.append(dns.rrset.from_text(name, 300, "IN", "A", "192.0.2.%d" % (number % 256)))
    return answer


def chain_of(query, query_wire, algorithm, signed):
    """A multi-message answer; `signed` says for each message whether it has a TSIG."""
    key = key_of(algorithm)
    request_mac = dns.message.from_wire(query_wire, keyring=key_ring(algorithm)).mac
    context = None
    wires = []
    for index, is_signed in enumerate(signed):
        answer = answer_to(query, index, 5)
        if is_signed:
            answer.use_tsig(key, fudge=300)
            answer.request_mac = request_mac
            wire = fixed_time(
                lambda: answer.to_wire(multi=True, tsig_ctx=context), NOW + 2 + index
            )
            context = answer.tsig_ctx
        else:
            wire = answer.to_wire()
            context.update(wire)
        wires.append(wire.hex())
    return wires


def key_ring(algorithm):
    key = key_of(algorithm)
    return {key.name: key}


def dnspython():
    vectors = []
    for algorithm in ALGORITHMS:
        query = query_for(algorithm)
        wire = fixed_time(query.to_wire, NOW)
        parsed = fixed_time(lambda: dns.message.from_wire(wire, keyring=key_ring(algorithm)), NOW)
        single = dns.message.make_response(parsed, tsig_error=0)
        single.flags |= 0x0400
        single.answer.append(
            dns.rrset.from_text("zone.example.", 300, "IN", "SOA", "ns.zone.example. host.zone.example. 1 2 3 4 5")
        )
        badtime = dns.message.make_response(parsed)
        badtime.set_rcode(9)
        badtime.use_tsig(
            key_of(algorithm),
            fudge=300,
            original_id=0x1234,
            tsig_error=18,
            other_data=(NOW + 4000).to_bytes(6, "big"),
        )
        badtime.request_mac = parsed.mac
        vectors.append(
            {
                "algorithm": algorithm,
                "request": wire.hex(),
                "answer": fixed_time(single.to_wire, NOW + 1).hex(),
                "badTimeAnswer": fixed_time(badtime.to_wire, NOW).hex(),
                "chain": fixed_time(lambda: chain_of(query, wire, algorithm, [True] * 4), NOW),
                "sparseChain": fixed_time(
                    lambda: chain_of(query, wire, algorithm, [True, False, False, True, False, True]), NOW
                ),
            }
        )
    return vectors


def captured(command):
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    listener.settimeout(5)
    port = str(listener.getsockname()[1])
    process = subprocess.Popen(
        [word.replace("PORT", port) for word in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wire = listener.recv(65535)
    process.kill()
    process.wait()
    return wire.hex()


def dig_and_kdig():
    secret = base64.b64encode(SECRET).decode()
    vectors = []
    names = ALGORITHMS + ["hmac-sha1-80", "hmac-sha1-160", "hmac-sha256-128", "hmac-sha384-192", "hmac-sha512-256"]
    for name in names:
        dig = ["dig", "+tries=1", "+time=1", "-p", "PORT", "@127.0.0.1", "-y", f"{name}:Transfer.Example:{secret}"]
        vectors.append({"command": "dig", "key": name, "request": captured(dig + ["zone.example", "SOA"])})
    for name in ALGORITHMS:
        kdig = ["kdig", "+retry=0", "+time=1", "-p", "PORT", "@127.0.0.1", "-y", f"{name}:Transfer.Example:{secret}"]
        vectors.append({"command": "kdig", "key": name, "request": captured(kdig + ["zone.example", "SOA"])})
    return vectors


def write(name, vectors):
    header = {
        "madeBy": "/usr/bin/python3 test/vectors/tsig/make-vectors.py",
        "keyName": "Transfer.Example.",
        "secret": base64.b64encode(SECRET).decode(),
        "now": NOW,
    }
    with open(os.path.join(FOLDER, name), "w", encoding="ascii") as file:
        json.dump({**header, "vectors": vectors}, file, indent=1)
        file.write("\n")


write("dnspython.json", dnspython())
write("dig.json", dig_and_kdig())
