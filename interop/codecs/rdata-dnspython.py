"""Reads lines "TYPE text" and writes for each the rdata in hexadecimal as dnspython has it, or a hyphen."""

import sys

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

origin = dns.name.from_text("example.")
for line in sys.stdin:
    mnemonic, text = line.rstrip("\n").split(" ", 1)
    try:
        rdtype = dns.rdatatype.from_text(mnemonic)
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rdtype, text, origin=origin, relativize=False)
        print(rdata.to_wire().hex() or "empty")
    except Exception:  # whatever it cannot read
        print("-")
