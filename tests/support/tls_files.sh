#!/bin/sh
# Makes what the tests of TLS need beside certs/make.sh: certificates of clients, a CRL,
# OCSP responses, and an RSA twin of the certificate pair.pem. Calls at the same time
# wait for each other; what is there is kept.
#
# usage: tls_files.sh DIR
set -eu
umask 077
dir=$1
make=$(cd "$(dirname "$0")/../../certs" && pwd)/make.sh

is_done() {
	[ -s "$dir/tls_files" ] &&
		openssl x509 -in "$dir/client.pem" -noout -checkend 86400 >/dev/null
}

is_done && exit 0
"$make" "$dir" >/dev/null
"$make" "$dir" --cert pair --name pair.test --name '*.pair.test' >/dev/null
"$make" "$dir" --cert pair-rsa --name '*.pair.test' --name PAIR.test --rsa >/dev/null
exec 9<"$dir"
flock 9
is_done && exit 0
cd "$dir"

client() { # NAME SERIAL CA
	openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
	openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
	echo extendedKeyUsage=clientAuth >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$3.pem" -CAkey "$3.key" -set_serial "$2" \
		-days 30 -extfile "$1.ext" -out "$1.pem" 2>/dev/null
}

ca() { # of a CA.pem: an empty book of what it signed
	: >index.txt
	echo 01 >crlnumber
	cat >ca.cnf <<-END
		[ca]
		default_ca = book
		[book]
		database = index.txt
		crlnumber = crlnumber
		certificate = ca.pem
		private_key = ca.key
		default_md = sha256
	END
}

# ocsp NAME STATUS FILE: what the authority says of NAME.pem, for 60 days.
ocsp() {
	serial=$(openssl x509 -in "$1.pem" -noout -serial | cut -d= -f2)
	printf '%s\t%s\t%s\t%s\tunknown\t/CN=%s\n' "$2" 350101000000Z "$4" "$serial" "$1" >index.ocsp
	openssl ocsp -issuer ca.pem -cert "$1.pem" -no_nonce -reqout request.der
	openssl ocsp -index index.ocsp -CA ca.pem -rsigner ca.pem -rkey ca.key \
		-reqin request.der -respout "$3" -ndays 60 >/dev/null 2>&1
}

mkdir -p strange
"$make" "$dir/strange" >/dev/null
client client 4096 ca
client revoked 4097 ca
client stranger 4098 strange/ca
ca
openssl ca -config ca.cnf -gencrl -crldays 60 -out empty.crl 2>/dev/null
openssl ca -config ca.cnf -revoke revoked.pem 2>/dev/null
openssl ca -config ca.cnf -gencrl -crldays 60 -out revoked.crl 2>/dev/null
openssl ca -config ca.cnf -gencrl -crl_lastupdate 20200101000000Z \
	-crl_nextupdate 20200201000000Z -out old.crl 2>/dev/null
ocsp pair V pair.ocsp ''
ocsp pair-rsa V pair-rsa.ocsp ''
ocsp pair R pair-revoked.ocsp 200101000000Z
echo done >tls_files
