#!/bin/sh
# Installs what Millrace needs besides Rust: Postgres 15+, nats-server 2.10+, git, bubblewrap, util-linux.
# With the argument python3-venv also that, for the tests that run a server written in Python; with npm also
# Node.js and npm, for the one that runs an OpenID provider.
# For the tests it also installs an SMTP server, python3-aiosmtpd.
# As root it installs what is missing with apt; otherwise it prints the one command to run and exits 1.
# Does nothing, quickly, when everything is there. Debian 12 and later, Ubuntu 22.04 and later.
set -eu

POSTGRES_FLOOR=15
NATS_FLOOR=2.10
extra=${1:-}

say() { printf 'bootstrap: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

# at_least HAVE FLOOR: compares dotted version numbers.
at_least() { [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# candidate PACKAGE: the upstream version apt would install, empty when it knows none.
candidate() {
    LC_ALL=C apt-cache policy "$1" 2>/dev/null |
        sed -n 's/^ *Candidate: *\([0-9]*:\)\{0,1\}\([0-9.]*\).*/\2/p'
}

postgres_version() {
    for server in "${MILLRACE_DATABASE__BINARIES:-}/postgres" "$(command -v postgres || true)" /usr/lib/postgresql/*/bin/postgres; do
        if [ -x "$server" ] && [ -x "${server%/*}/initdb" ]; then
            "$server" --version | sed -n 's/.*PostgreSQL) \([0-9.]*\).*/\1/p'
        fi
    done | sort -V | tail -n 1
}

nats_version() {
    server=${MILLRACE_NATS__BINARY:-nats-server}
    if have "$server"; then "$server" --version | sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p'; fi
}

# The distribution's Python, whatever other one is on the path.
smtp_server() { /usr/bin/python3 -I -c 'import aiosmtpd' 2>/dev/null; }

missing() {
    at_least "$(postgres_version)" "$POSTGRES_FLOOR" || echo postgresql
    at_least "$(nats_version)" "$NATS_FLOOR" || echo nats-server
    have git || echo git
    have bwrap || echo bubblewrap
    have setpriv || echo util-linux
    [ "$extra" != python3-venv ] || python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    [ "$extra" != npm ] || { have node && have npm; } || echo npm
    smtp_server || echo python3-aiosmtpd
}

# Debian 12 carries nats-server 2.9. The next release's package runs on it as it is, so that release
# is added with a priority that lets apt take this one package from it and nothing else.
add_pinned_trixie() {
    # shellcheck disable=SC2016 # apt fills these in
    mirror=$(apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(IDENTIFIER)' |
        sed -n 's/ bookworm main Packages$//p' | head -n 1)
    [ -n "$mirror" ] || die "found no Debian mirror in this machine's apt sources; install nats-server $NATS_FLOOR or newer by hand"
    cat >/etc/apt/sources.list.d/millrace-trixie.sources <<SOURCES
Types: deb
URIs: $mirror
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    cat >/etc/apt/preferences.d/millrace-trixie <<PIN
Package: *
Pin: release n=trixie
Pin-Priority: -10

Package: nats-server
Pin: release n=trixie
Pin-Priority: 990
PIN
    apt-get update -q
}

# Debian makes and starts a cluster on port 5432 with the first Postgres; Millrace runs its own.
no_default_cluster() {
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
}

# Likewise the nats-server package would start a service of its own.
install_quietly() {
    policy=/usr/sbin/policy-rc.d
    if [ -e "$policy" ]; then
        apt-get install -y -q --no-install-recommends "$@"
        return
    fi
    trap 'rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    apt-get install -y -q --no-install-recommends "$@"
    rm -f "$policy"
    trap - EXIT INT TERM
}

require_candidates() {
    for package in "$@"; do
        case $package in
        postgresql)
            at_least "$(candidate postgresql)" "$POSTGRES_FLOOR" ||
                die "apt offers PostgreSQL '$(candidate postgresql)' and Millrace needs $POSTGRES_FLOOR or newer: add the PostgreSQL project's apt repository (install postgresql-common and run the script under /usr/share/postgresql-common/pgdg/), or set MILLRACE_DATABASE__BINARIES to a folder with postgres and initdb, then run this again"
            ;;
        nats-server)
            at_least "$(candidate nats-server)" "$NATS_FLOOR" ||
                die "apt offers nats-server '$(candidate nats-server)' and Millrace needs $NATS_FLOOR or newer: put a newer nats-server on PATH (the NATS project publishes them as .deb files), or set MILLRACE_NATS__BINARY to one, then run this again"
            ;;
        esac
    done
}

wanted=$(missing)
if [ -n "$wanted" ]; then
    wanted_line=$(echo "$wanted" | tr '\n' ' ')
    if [ "$(id -u)" -ne 0 ]; then
        say "missing or too old: $wanted_line"
        say "run this once, then start again:"
        printf '\n    sudo %s\n\n' "$(realpath "$0")${extra:+ $extra}" >&2
        exit 1
    fi
    have apt-get || die "missing or too old: $wanted_line; this machine has no apt, install them by its own means"
    export DEBIAN_FRONTEND=noninteractive
    say "installing: $wanted_line"
    apt-get update -q
    if echo "$wanted" | grep -qx nats-server && ! at_least "$(candidate nats-server)" "$NATS_FLOOR"; then
        codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
        if [ "$codename" = bookworm ]; then add_pinned_trixie; fi
    fi
    # shellcheck disable=SC2086 # one package per word
    require_candidates $wanted
    no_default_cluster
    # shellcheck disable=SC2086 # one package per word
    install_quietly $wanted
    if echo "$wanted" | grep -qx nats-server && have systemctl; then
        systemctl disable nats-server >/dev/null 2>&1 || true # Millrace runs its own
    fi
    wanted=$(missing)
    [ -z "$wanted" ] || die "still missing or too old after installing: $(echo "$wanted" | tr '\n' ' ')"
    say "everything is there"
fi

# Ubuntu 23.10 and later keep user namespaces from programs they do not know.
if ! bwrap --unshare-all --ro-bind / / true >/dev/null 2>&1; then
    say "warning: bubblewrap cannot make a sandbox here, so scans will be refused unless workers.sandbox is changed;"
    say "where the kernel restricts user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0"
fi

have cargo || die "cargo was not found: install Rust 1.95 or newer (https://rustup.rs), then start again"
