#!/bin/sh
# Asks the address where clouds keep a machine's credentials. It must not answer to a job, though
# another address of the same service does.
asks() {
    curl -s -m 3 "http://$1/" >/dev/null 2>&1 && return 0
    wget -q -T 3 -O - "http://$1/" >/dev/null 2>&1 && return 0
    echo | nc -w 3 "$1" 80 >/dev/null 2>&1
}
if asks @OTHER_ADDRESS@; then echo "held other-address"; else echo "ESCAPED nothing-to-ask-with"; fi
if asks 169.254.169.254; then echo "ESCAPED metadata"; else echo "held metadata"; fi
