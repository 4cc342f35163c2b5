#!/bin/sh
# Makes the vectors of this folder from tricky.zone with three other signers (Debian 12: ldns-signzone 1.8.3, dnssec-signzone
# 9.18.49, kzonesign 3.2.6), and stops where they do not agree. Run in this folder; the keys are thrown away.
#   tricky.nsec, tricky.nsec3, tricky.opt-out   denial records, and what each RRSIG covers: "owner ttl RRSIG type labels ttl"
#   tricky.zonemd-nsec, tricky.zonemd-nsec3     whole signed zones with ldns-signzone's ZONEMD
set -eu
here=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cp "$here/tricky.zone" .
ksk=$(dnssec-keygen -q -a 13 -f KSK example)
zsk=$(dnssec-keygen -q -a 13 example)

# One record a line: denial records and the heads of RRSIGs, without what depends on keys or on how a signer keeps house.
# Next names in lower case: kzonesign writes them so (and Zoneseal), the others do not.
denial() {
  sed 's/;.*resign=.*//' "$1" | named-compilezone -i none -k ignore -s full -o - example /dev/stdin 2>/dev/null |
    grep -v '^;' | awk '
      $4 == "NSEC" { $5 = tolower($5) }
      $4 == "NSEC" || $4 == "NSEC3" { $1 = tolower($1); $3 = ""; print }
      $4 == "RRSIG" && $5 !~ /^(DNSKEY|CDS|CDNSKEY|NSEC3PARAM)$/ { print tolower($1), $2, "RRSIG", $5, $7, $8 }' |
    tr -s ' ' | LC_ALL=C sort
}
agree() { # name, files that agree
  name=$1
  shift
  denial "$1" >"$name"
  test -s "$name"
  for other; do denial "$other" | diff "$name" - || exit 1; done
  cp "$name" "$here/"
}

ldns-signzone -f ldns.nsec tricky.zone "$zsk" "$ksk"
ldns-signzone -n -t 0 -f ldns.nsec3 tricky.zone "$zsk" "$ksk"
dnssec-signzone -P -S -o example -f bind.nsec tricky.zone >bind.log 2>&1
dnssec-signzone -P -S -3 - -o example -f bind.nsec3 tricky.zone >>bind.log 2>&1
dnssec-signzone -P -S -3 - -A -o example -f bind.opt-out tricky.zone >>bind.log 2>&1
for variant in nsec nsec3 opt-out; do
  mkdir -p kasp "out.$variant"
  cat >knot.conf <<CONF
database:
  storage: $work/kasp
policy:
  - id: p
    manual: on
    nsec3: $(test $variant = nsec && echo off || echo on)
    nsec3-iterations: 0
    nsec3-salt-length: 0
    nsec3-opt-out: $(test $variant = opt-out && echo on || echo off)
    cds-cdnskey-publish: none
zone:
  - domain: example
    storage: $work
    file: tricky.zone
    dnssec-signing: on
    dnssec-policy: p
CONF
  test $variant = nsec && for key in "$ksk" "$zsk"; do keymgr -c knot.conf example import-bind "$key" >/dev/null; done
  kzonesign -c knot.conf -o "out.$variant" example >knot.log 2>&1
done
agree tricky.nsec ldns.nsec bind.nsec out.nsec/tricky.zone
agree tricky.nsec3 ldns.nsec3 bind.nsec3 out.nsec3/tricky.zone
# ldns-signzone sets the opt-out flag but leaves nothing out
agree tricky.opt-out bind.opt-out out.opt-out/tricky.zone

for variant in nsec nsec3; do
  ldns-signzone $(test $variant = nsec3 && printf '%s ' -n -t 0 || true) -z 1:1 -f ldns.zonemd tricky.zone "$zsk" "$ksk"
  named-compilezone -i none -k ignore -s full -o zonemd example ldns.zonemd >/dev/null 2>&1
  grep -v '^;' zonemd | tr '\t' ' ' | tr -s ' ' >"$here/tricky.zonemd-$variant"
done
