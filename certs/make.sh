#!/bin/sh
# Makes the certificates that tests, the demo and the bench use: a CA of their own
# and the server certificate demo.pem/demo.key signed by it. None of them is for a
# machine that anyone else can reach. What is there and still good is kept, so
# calling this again costs nothing; calls at the same time wait for each other.
set -eu

usage() {
	cat <<'END'
usage: certs/make.sh [DIR] [--cert NAME] [--name DNS]... [--rsa]

  DIR          where to put the files (default: the folder of this script)
  --cert NAME  make NAME.pem and NAME.key, signed by the same CA, beside demo's
  --name DNS   a name that the certificate of --cert is for (default: NAME.sluice.test)
  --rsa        the key of --cert is RSA 2048 instead of ECDSA P-256

Without --cert: ca.pem, ca.key, demo.pem and demo.key, for localhost, 127.0.0.1,
::1 and demo.sluice.test.
END
}

fail() {
	echo "certs/make.sh: $*" >&2
	exit 1
}

dir=$(dirname "$0")
cert=
names=
rsa=no
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help) usage; exit 0 ;;
	--cert) [ $# -ge 2 ] || fail "--cert needs a name"; cert=$2; shift ;;
	--name) [ $# -ge 2 ] || fail "--name needs a DNS name"; names="$names${names:+,}DNS:$2"; shift ;;
	--rsa) rsa=yes ;;
	-*) fail "unknown option $1; --help lists them" ;;
	*) dir=$1 ;;
	esac
	shift
done
command -v openssl >/dev/null || fail "openssl is missing: apt-get install openssl"
if [ -z "$cert" ] && { [ -n "$names" ] || [ $rsa = yes ]; }; then
	fail "--name and --rsa go with --cert"
fi

umask 077
mkdir -p "$dir"
exec 9<"$dir"
flock 9

# Good: there, and valid for another month.
is_good() {
	[ -s "$dir/$1.key" ] && [ -s "$dir/$1.pem" ] &&
		openssl x509 -in "$dir/$1.pem" -noout -checkend 2592000 >/dev/null 2>&1
}

make_key() {
	if [ "$2" = yes ]; then
		openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$dir/$1.key"
	else
		openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$dir/$1.key"
	fi
}

make_ca() {
	make_key ca no
	openssl req -x509 -new -key "$dir/ca.key" -sha256 -days 825 -subj "/CN=sluice test CA" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
		-out "$dir/ca.pem.part"
	mv "$dir/ca.pem.part" "$dir/ca.pem"
}

# make_leaf NAME SAN RSA
make_leaf() {
	make_key "$1" "$3"
	openssl req -new -key "$dir/$1.key" -sha256 -subj "/CN=$1.sluice.test" -out "$dir/$1.csr.part"
	cat >"$dir/$1.ext.part" <<-END
		subjectAltName=$2
		basicConstraints=critical,CA:FALSE
		keyUsage=critical,digitalSignature
		extendedKeyUsage=serverAuth
		authorityKeyIdentifier=keyid
	END
	openssl x509 -req -in "$dir/$1.csr.part" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -sha256 \
		-set_serial "0x$(openssl rand -hex 16)" -days 397 -extfile "$dir/$1.ext.part" \
		-out "$dir/$1.pem.part" 2>/dev/null
	mv "$dir/$1.pem.part" "$dir/$1.pem"
	rm -f "$dir/$1.csr.part" "$dir/$1.ext.part"
	echo "made $dir/$1.pem"
}

signed_by_ca() {
	openssl verify -CAfile "$dir/ca.pem" "$dir/$1.pem" >/dev/null 2>&1
}

# A name asked for that a kept certificate lacks means that it is made anew.
covers() {
	for san in $(echo "$2" | tr , ' '); do
		openssl x509 -in "$dir/$1.pem" -noout -ext subjectAltName | tr -d ' ' |
			tr , '\n' | grep -qixF "$san" || return 1
	done
}

is_good ca || make_ca
demo_san="DNS:localhost,DNS:demo.sluice.test,IP:127.0.0.1,IP:::1"
{ is_good demo && signed_by_ca demo; } || make_leaf demo "$demo_san" no
if [ -n "$cert" ]; then
	[ -n "$names" ] || names="DNS:$cert.sluice.test"
	{ is_good "$cert" && signed_by_ca "$cert" && covers "$cert" "$names"; } ||
		make_leaf "$cert" "$names" $rsa
fi
