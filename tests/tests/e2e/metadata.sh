#!/bin/sh
# Asks the address where clouds keep a machine's credentials. It must not answer to a job.
for asker in "wget -q -T 2 -O -" "curl -s -m 2"; do
    if $asker http://169.254.169.254/ >/dev/null 2>&1; then
        echo "ESCAPED metadata"
        exit 0
    fi
done
echo "held metadata"
