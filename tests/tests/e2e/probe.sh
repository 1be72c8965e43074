#!/bin/sh
# Nine attempts to leave the sandbox. Each prints `held NAME` when it failed, `ESCAPED NAME` when not.
try() {
    name=$1
    shift
    if "$@" >/dev/null 2>&1; then echo "ESCAPED $name"; else echo "held $name"; fi
}

runner_secrets() {
    for environ in /proc/[0-9]*/environ; do
        pid=${environ#/proc/}
        pid=${pid%/environ}
        grep -qs 'terrane-runner' "/proc/$pid/cmdline" && cat "$environ" && return 0
    done
    find @DATA_DIR@ -name '*key*' -type f -exec cat {} + 2>/dev/null | grep -q . && return 0
    return 1
}
other_jobs() {
    own=$(pwd)
    for directory in $(find @DATA_DIR@ -maxdepth 6 -type d -name config 2>/dev/null); do
        case "$own" in "$directory"*) ;; *) ls "$directory" | grep -q . && return 0 ;; esac
    done
    return 1
}
host_file() { cat @HOST_FILE@ || cat /etc/shadow; }
trace() { command -v gdb >/dev/null && gdb -p @SERVER_PID@ -batch || dd if=/proc/@SERVER_PID@/mem of=/dev/null bs=1 count=1; }
mounts() { mount -t tmpfs none /mnt || mount -t proc none /mnt; }
kills() { kill -0 @SERVER_PID@ && kill -9 @SERVER_PID@; }
raw_socket() { ping -c 1 -W 1 127.0.0.1; }
# A shell that can't fork ends, so this is one of its own.
forks() {
    /bin/sh -c 'n=0; while [ $n -lt 20000 ]; do sleep 30 & n=$((n + 1)); done' 2>/dev/null
}
fill_disk() { dd if=/dev/zero of=./filler bs=1M count=200000; }

try runner-secrets runner_secrets
try other-jobs other_jobs
try host-file host_file
try ptrace trace
try mount mounts
try kill-outside kills
try raw-socket raw_socket
try fill-disk fill_disk
rm -f ./filler
try fork-bomb forks
exit 0
