"""Asks a server with dnspython and says what came of it.

One JSON object on stdin: host, port, zone, type (SOA or AXFR), keyName, algorithm, secret (base64), skewSeconds.
One on stdout: result (ok, or the name of what the server or dnspython refused), records, and serverTime where the
answer has one.
"""

import base64
import json
import sys
import time

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import dns.zone

REFUSALS = {
    dns.tsig.PeerBadKey: "BADKEY",
    dns.tsig.PeerBadSignature: "BADSIG",
    dns.tsig.PeerBadTime: "BADTIME",
    dns.tsig.PeerBadTruncation: "BADTRUNC",
}


def main():
    asked = json.load(sys.stdin)
    skew = asked.get("skewSeconds", 0)
    real = time.time
    time.time = lambda: real() + skew
    key = dns.tsig.Key(asked["keyName"], base64.b64decode(asked["secret"]), asked["algorithm"] + ".")
    query = dns.message.make_query(asked["zone"], asked["type"])
    query.use_tsig(key, fudge=300)
    answer = {"result": "ok", "records": 0}
    try:
        if asked["type"] == "AXFR":
            answer["records"] = transfer(asked, query)
        else:
            reply = dns.query.udp(query, asked["host"], port=asked["port"], timeout=10)
            answer["records"] = sum(len(rrset) for rrset in reply.answer)
            if not reply.had_tsig:
                answer["result"] = "unsigned"
            elif reply.rcode() != dns.rcode.NOERROR:
                answer["result"] = dns.rcode.to_text(reply.rcode())
    except tuple(REFUSALS) as refusal:
        answer["result"] = REFUSALS[type(refusal)]
    except dns.xfr.TransferError as refusal:
        answer["result"] = dns.rcode.to_text(refusal.rcode)
    except dns.exception.DNSException as error:
        answer["result"] = type(error).__name__
    json.dump(answer, sys.stdout)


def transfer(asked, query):
    """The records of a zone, each message's TSIG checked by dnspython."""
    count = 0
    for reply in dns.query.xfr(
        asked["host"],
        dns.name.from_text(asked["zone"]),
        port=asked["port"],
        lifetime=60,
        keyring=query.keyring,
        keyname=query.keyring.name,
        keyalgorithm=query.keyring.algorithm,
        relativize=False,
    ):
        if not reply.had_tsig:
            raise dns.exception.DNSException
        count += sum(len(rrset) for rrset in reply.answer)
    return count


main()
