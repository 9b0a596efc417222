#!/usr/bin/env bash
# What the ring needs that is not Python's: Debian's lava-dispatcher and QEMU, and a kernel for the guest.
#
# Run: tests/lava_worker/install.sh DIRECTORY. The kernel is unpacked there, as `vmlinuz`; it is not installed.
set -euo pipefail

KERNEL=linux-image-cloud-amd64 # a small kernel for virtual machines, with all in it that the guest needs
POLICY=/usr/sbin/policy-rc.d

main() {
    local directory=$1
    mkdir -p "$directory"
    install_missing_packages
    [ -s "$directory/vmlinuz" ] || fetch_kernel "$directory"
}

install_missing_packages() {
    local missing=()
    command -v lava-worker >/dev/null || missing+=(lava-dispatcher)
    command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
    [ -x /bin/busybox ] || missing+=(busybox-static)
    command -v cpio >/dev/null || missing+=(cpio)
    [ ${#missing[@]} -gt 0 ] || return 0
    may_install "${missing[*]}"
    echo "Installing ${missing[*]} (once; about two minutes) ..."
    as_root apt-get update -qq
    without_starting_services as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -qq -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
    # Debian's package would run a worker of its own from the next boot on.
    as_root systemctl disable --quiet lava-worker.service 2>/dev/null || true
}

may_install() {
    command -v apt-get >/dev/null || refuse "This needs $1 and finds no apt-get: it is for Debian 12 and its kin."
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
        refuse "This needs $1. Install it as root (apt-get install $1), or let it be done: as root, or with sudo that asks no password."
}

refuse() {
    echo "$1" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# Debian starts what it installs, unless this file says no.
without_starting_services() {
    if [ -e $POLICY ]; then
        "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' | as_root tee $POLICY >/dev/null
    as_root chmod 755 $POLICY
    trap 'as_root rm -f $POLICY' EXIT
    "$@"
    as_root rm -f $POLICY
    trap - EXIT
}

fetch_kernel() {
    local package scratch
    # The name without a version is a package that only depends on the newest one.
    package=$(apt-cache depends $KERNEL | awk '/Depends: linux-image/ { print $2 }')
    if [ -z "$package" ]; then
        as_root apt-get update -qq
        package=$(apt-cache depends $KERNEL | awk '/Depends: linux-image/ { print $2 }')
    fi
    [ -n "$package" ] || refuse "There is no $KERNEL in the package lists: the guest's kernel comes from it."
    scratch=$(mktemp -d)
    echo "Fetching the guest's kernel, $package ..."
    (cd "$scratch" && apt-get download -qq -o APT::Sandbox::User=root "$package")
    dpkg-deb --fsys-tarfile "$scratch"/*.deb | tar --extract --directory "$scratch" --wildcards './boot/vmlinuz-*'
    mv "$scratch"/boot/vmlinuz-* "$1/vmlinuz.new"
    mv "$1/vmlinuz.new" "$1/vmlinuz" # whole or not at all
    rm -rf "$scratch"
}

main "${1:?which directory is the kernel for?}"
