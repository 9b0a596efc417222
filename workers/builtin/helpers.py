"""The commands that a test finds on its PATH, for POSIX shells. They print LAVA's signals."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# A signal is words between angle brackets, so whatever else is in a name is written as %XX.
_COMMON: Final = r"""
LC_ALL=C
export LC_ALL

safe() {
    case $1 in
        '' | *[!A-Za-z0-9._/:@,+~-]*) ;;
        *) printf '%s' "$1"; return ;;
    esac
    for byte in $(printf '%s' "$1" | od -An -v -tx1); do
        case $byte in
            2[b-f] | 3[0-9a] | 40 | 4[1-9a-f] | 5[0-9a] | 5f | 6[1-9a-f] | 7[0-9a] | 7e)
                printf "\\$(printf '%03o' "0x$byte")" ;;
            *) printf '%%%s' "$byte" ;;
        esac
    done
}

signal() {
    printf '<LAVA_SIGNAL_%s>\n' "$*"
}

refuse() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    printf 'Usage: %s\n' "$usage" >&2
    exit 2
}

check_result() {
    case $1 in
        pass | fail | skip | unknown) ;;
        *) refuse "a result is pass, fail, skip or unknown, not \"$1\"" ;;
    esac
}
"""

_TEST_CASE: Final = r"""
usage='lava-test-case NAME --shell COMMAND...
       lava-test-case NAME --result pass|fail|skip|unknown [--measurement NUMBER] [--units UNITS]'

[ $# -ge 2 ] || refuse 'a name and what to do are needed'
[ -n "$1" ] || refuse 'the name is empty'
name=$(safe "$1")
shift

if [ "$1" = --shell ]; then
    shift
    [ $# -ge 1 ] || refuse '--shell needs a command'
    signal STARTTC "$name"
    # One argument is a command line; several are a command and its arguments, kept as they are.
    unset LC_ALL
    if [ $# -eq 1 ]; then /bin/sh -c "$1"; else ("$@"); fi
    if [ $? -eq 0 ]; then result=pass; else result=fail; fi
    signal ENDTC "$name"
    signal TESTCASE "TEST_CASE_ID=$name RESULT=$result"
    exit 0
fi

result= measurement= units=
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || refuse "$1 needs a value"
    case $1 in
        --result) result=$2 ;;
        --measurement) measurement=$2 ;;
        --units) units=$2 ;;
        *) refuse "unknown option \"$1\"" ;;
    esac
    shift 2
done
check_result "$result"
fields="TEST_CASE_ID=$name RESULT=$result"
[ -z "$units" ] || fields="$fields UNITS=$(safe "$units")"
[ -z "$measurement" ] || fields="$fields MEASUREMENT=$(safe "$measurement")"
signal TESTCASE "$fields"
"""

_TEST_SET: Final = r"""
usage='lava-test-set start NAME
       lava-test-set stop'

case $1 in
    start)
        [ -n "$2" ] || refuse 'the name is missing'
        signal TESTSET "START $(safe "$2")" ;;
    stop) signal TESTSET STOP ;;
    *) refuse 'say start or stop' ;;
esac
"""

_TEST_REFERENCE: Final = r"""
usage='lava-test-reference NAME --result pass|fail|skip|unknown --reference ADDRESS'

[ -n "$1" ] || refuse 'the name is missing'
name=$(safe "$1")
shift
result= reference=
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || refuse "$1 needs a value"
    case $1 in
        --result) result=$2 ;;
        --reference) reference=$2 ;;
        *) refuse "unknown option \"$1\"" ;;
    esac
    shift 2
done
check_result "$result"
[ -n "$reference" ] || refuse 'the reference is missing'
signal TESTREFERENCE "$name $result $(safe "$reference")"
"""

# It fails, so that no further step runs while the signal is on its way.
_TEST_RAISE: Final = r"""
usage='lava-test-raise MESSAGE'

[ $# -ge 1 ] || refuse 'the message is missing'
signal TESTRAISE "$(safe "$*")"
exit 1
"""

_TEST_EVENT: Final = r"""
usage='lava-test-event MESSAGE
       lava-test-event "NAME: MESSAGE"'

[ -n "$*" ] || refuse 'the message is missing'
signal TESTEVENT "$(safe "$*")"
"""

_DEFER: Final = r"""
usage='lava-lite-defer SECONDS REASON'

case $1 in
    '' | *[!0-9]*) refuse 'say after how many seconds the job is to run again' ;;
esac
[ $# -ge 2 ] || refuse 'the reason is missing'
seconds=$1
shift
signal DEFER "$seconds $(safe "$*")"
exit 1
"""

# Which processes belong to which name is kept in files of the job's own.
_BACKGROUND: Final = r"""
[ -n "$1" ] || refuse 'the name is missing'
name=$(safe "$1")
shift
case $name in */*) refuse 'a name cannot hold a /' ;; esac
kept="${TMPDIR:-/tmp}/.lava-background-process-$name"

signal_all() {
    kill "-$1" "-$pid" 2>/dev/null || kill "-$1" "$pid" 2>/dev/null
}
"""

# As in LAVA, a command that ends is run again: it may look at something and end, or stay.
_BACKGROUND_START: Final = (
    r"""
usage='lava-background-process-start NAME --cmd COMMAND...'
"""
    + _BACKGROUND
    + r"""
[ "$1" = --cmd ] || refuse '--cmd is missing'
shift
[ -n "$*" ] || refuse '--cmd needs a command'
if [ -e "$kept" ] && read -r pid < "$kept" && signal_all 0; then refuse ""$name" runs already"; fi

unset LC_ALL
session=
if command -v setsid >/dev/null; then session=setsid; fi
# The shell that runs it again would say in the output of the job how it ended.
$session /bin/sh -c 'while :; do /bin/sh -c "$0" 2>&3 3>&- & wait; sleep 1; done' "$*" </dev/null 3>&2 2>/dev/null &
printf '%s\n' "$!" > "$kept"
"""
)

_BACKGROUND_STOP: Final = (
    r"""
usage='lava-background-process-stop NAME [--attach FILE TYPE]...'
"""
    + _BACKGROUND
    + r"""
[ -e "$kept" ] || refuse "nothing runs by the name "$name""
read -r pid < "$kept"
rm -f "$kept"
signal_all TERM
for look in 1 2 3 4 5 6 7 8 9; do
    signal_all 0 || break
    if [ "$look" = 9 ]; then signal_all KILL; else sleep 0.2 2>/dev/null || sleep 1; fi
done

while [ $# -gt 0 ]; do
    [ "$1" = --attach ] || refuse "unknown option "$1""
    [ $# -ge 3 ] || refuse '--attach needs a file and its type'
    [ -r "$2" ] || refuse "there is no file "$2" to attach"
    printf '%s (%s):\n' "$2" "$3"
    cat -- "$2"
    shift 3
done
"""
)

_PROGRESS: Final = r"""
usage='lava-lite-progress PERCENT [TEXT]'

[ $# -ge 1 ] || refuse 'the percentage is missing'
percent=${1%\%}
shift
case $percent in
    100 | [0-9] | [0-9][0-9]) ;;
    *) refuse "a percentage is a whole number from 0 to 100, not \"$percent\"" ;;
esac
if [ -n "$*" ]; then signal PROGRESS "$percent $(safe "$*")"; else signal PROGRESS "$percent"; fi
"""

# The answer comes as a file beside bin/: a word, then what the person wrote.
_WAIT_FOR_PERSON: Final = r"""
usage='lava-lite-wait-for-person TEXT [--timeout SECONDS]'

text= timeout=0
while [ $# -gt 0 ]; do
    case $1 in
        --timeout)
            [ $# -ge 2 ] || refuse "$1 needs a value"
            case $2 in '' | *[!0-9]* | 0 | ?????????*) refuse "--timeout takes seconds, not \"$2\"" ;; esac
            timeout=$2
            shift ;;
        -*) refuse "unknown option \"$1\"" ;;
        *) text="${text:+$text }$1" ;;
    esac
    shift
done
[ -n "$text" ] || refuse 'the text is missing'
key=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
answer="${0%/*}/../answers/$key"
ends=$(($(date +%s) + timeout))

printf 'Waiting for a person: %s\n' "$text"
signal WAITFORPERSON "$key $timeout $(safe "$text")"
while [ ! -e "$answer" ]; do
    if [ "$timeout" != 0 ] && [ "$(date +%s)" -ge "$ends" ]; then
        signal WAITOVER "$key timeout"
        printf 'Nobody answered within %s seconds\n' "$timeout" >&2
        exit 124
    fi
    sleep 0.5 2>/dev/null || sleep 1
done
{ read -r word; read -r comment; } < "$answer"
signal WAITOVER "$key $word"
[ -z "$comment" ] || printf '%s\n' "$comment"
[ "$word" = done ]
"""

_SCRIPTS: Final = {
    "lava-test-case": _TEST_CASE,
    "lava-test-set": _TEST_SET,
    "lava-test-reference": _TEST_REFERENCE,
    "lava-test-raise": _TEST_RAISE,
    "lava-test-event": _TEST_EVENT,
    "lava-lite-defer": _DEFER,
    "lava-lite-progress": _PROGRESS,
    "lava-lite-wait-for-person": _WAIT_FOR_PERSON,
    "lava-background-process-start": _BACKGROUND_START,
    "lava-background-process-stop": _BACKGROUND_STOP,
}


def write_to(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    for name, script in _SCRIPTS.items():
        path = directory / name
        path.write_text(f"#!/bin/sh\n{_COMMON}{script}")
        path.chmod(0o755)
