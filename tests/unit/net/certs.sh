#!/bin/sh
# certs.sh MAKE FOLDER: the certificates of these tests, made by certs/make.sh; and one
# of an unknown CA, and a key that nobody could read without its pass phrase.
set -eu

make=$1 folder=$2
"$make" "$folder" --cert one --name one.test --name ONE-MORE.test
"$make" "$folder" --cert wild --name '*.wild.test'
"$make" "$folder" --cert exact --name x.wild.test
"$make" "$folder" --cert other --rsa
"$make" "$folder/stranger"
cd "$folder"
[ -s locked.key ] && exit 0
openssl ec -in one.key -aes128 -passout pass:secret -out locked.$$.part 2>/dev/null
mv locked.$$.part locked.key
