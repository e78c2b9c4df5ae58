#!/usr/bin/env bash
# Recognises the sample pages and shows what comes of them: demo.sh PROGRAM
set -euo pipefail

pagemill=$1
out=out/demo
rm -rf -- "$out"

run() {
    printf '\n$ pagemill %s\n' "$*"
    "$pagemill" "$@"
}

run doctor -o "$out"
run ocr samples -o "$out" --formats pdf,txt,alto,json
run verify "$out"

printf '\nThe first lines of samples/d02-1.jpg, as read; samples/d02-1.txt has the truth\n'
head -n 8 "$out/d02-1.txt"

printf '\nThe results are in %s; open one of its PDFs and search in it.\n' "$out"
ls -lh "$out"
