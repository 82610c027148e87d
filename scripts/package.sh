#!/usr/bin/env bash
# Builds a static binary and a Debian package of it: scripts/package.sh [--binary FILE] [--out DIRECTORY]
#
# --binary packages a binary that is there already, instead of building one.
# --out    where both go; target/package without it.
#
# DEBFULLNAME and DEBEMAIL say whose package it is, SOURCE_DATE_EPOCH when it was made.
#
# The static binary is linked against musl where that target is installed, else against glibc. It needs no library of
# the host, and looks up no host names, which is what a static glibc cannot do.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; printf 'error: %s\n' "$*" >&2; exit 2; }

binary='' out=target/package
while [ $# -gt 0 ]; do
    case $1 in
    --binary | --out) [ $# -ge 2 ] || usage "$1 wants a value" ;;&
    --binary) binary=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    *) usage "no such argument: $1" ;;
    esac
done

# Prints the path of the binary.
build() {
    local machine target
    machine=$(rustc -vV | sed -n 's/^host: \([^-]*\)-.*/\1/p')
    target=$machine-unknown-linux-musl
    if [ ! -d "$(rustc --print target-libdir --target "$target")" ]; then
        target=$machine-unknown-linux-gnu
        echo "no musl target here: linking glibc statically" >&2
    fi
    # Naming the target keeps the flags from the macros, which are libraries of the compiler.
    RUSTFLAGS='-C target-feature=+crt-static' \
        cargo build --release --locked --target "$target" --config 'profile.release.strip="symbols"' >&2
    local built=target/$target/release/mcast-bench
    if LC_ALL=C ldd "$built" >/dev/null 2>&1 && ! LC_ALL=C ldd "$built" | grep -q 'statically linked'; then
        fail "$built wants libraries: $(ldd "$built")"
    fi
    echo "$built"
}

# Lays out everything that is installed below a directory.
lay_out() {
    local root=$1 shared=$1/usr/share
    install -D -m 755 "$binary" "$root/usr/bin/mcast-bench"
    install -d "$shared"/{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d} \
        "$shared"/doc/mcast-bench/examples/{prometheus,grafana}
    "$binary" man --all "$shared/man/man1"
    "$binary" completions bash >"$shared/bash-completion/completions/mcast-bench"
    "$binary" completions zsh >"$shared/zsh/vendor-completions/_mcast-bench"
    "$binary" completions fish >"$shared/fish/vendor_completions.d/mcast-bench.fish"
    install -D -m 644 -t "$root/usr/lib/systemd/system" scripts/systemd/mcast-bench-recv.service
    install -m 644 scripts/prometheus/*.yml "$shared/doc/mcast-bench/examples/prometheus"
    install -m 644 scripts/grafana/dashboard.json "$shared/doc/mcast-bench/examples/grafana"
    install -m 644 README.md "$shared/doc/mcast-bench"
    install -m 644 CHANGELOG.md "$shared/doc/mcast-bench/changelog"
    copyright >"$shared/doc/mcast-bench/copyright"
    debian_changelog >"$shared/doc/mcast-bench/changelog.Debian"
    gzip -9n "$shared/man/man1"/*.1 "$shared/doc/mcast-bench"/changelog*
    chmod -R u=rwX,go=rX "$root"
}

# Debian's machine-readable format, version 1.0. The text of the Apache licence is on every Debian.
copyright() {
    cat <<EOF
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: mcast-bench

Files: *
Copyright: the authors of mcast-bench
License: MIT or Apache-2.0

License: MIT
$(sed 's/^$/./; s/^/ /' LICENSE-MIT)

License: Apache-2.0
 On Debian systems the full text is in /usr/share/common-licenses/Apache-2.0.
EOF
}

debian_changelog() {
    cat <<EOF
mcast-bench ($version-1) unstable; urgency=medium

  * What is new is in changelog.gz.

 -- $maintainer  $(LC_ALL=C date -R -u -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
EOF
}

control() {
    cat <<EOF
Package: mcast-bench
Version: $version-1
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$1" | cut -f1)
Depends: libcap2-bin
Section: net
Priority: optional
Description: multicast benchmark and load generator
 Sends to multicast groups at a rate, and says what became of every datagram:
 what was lost and where, what came twice or out of order, and how late the
 rest came. Needs no root; capabilities are set for what would.
EOF
}

postinst() {
    cat <<'EOF'
#!/bin/sh
set -e
# Instead of root, for whoever may run the program:
#   cap_net_admin  receive buffers beyond net.core.rmem_max, hardware timestamps, SO_BUSY_POLL
#   cap_net_raw    the engine af_packet, and seeing what leaves the host
#   cap_ipc_lock   --lock-memory
#   cap_sys_nice   --realtime
# The engine af_xdp needs more (CAP_BPF), which loads programs into the kernel, and stays with root.
# To let only a group have them: chgrp GROUP and chmod 750 by dpkg-statoverride(1), then dpkg-reconfigure mcast-bench.
if [ "$1" = configure ]; then
    program=/usr/bin/mcast-bench
    if ! setcap cap_net_admin,cap_net_raw,cap_ipc_lock,cap_sys_nice+ep $program; then
        echo "mcast-bench: no capabilities could be set; it works without, as its doctor says" >&2
    elif ! $program --version >/dev/null 2>&1; then
        # In a container that lacks one of them the kernel refuses to start a program that has it.
        setcap -r $program
        echo "mcast-bench: capabilities are not to be had here; it works without" >&2
    fi
fi
EOF
}

command -v dpkg-deb >/dev/null || fail "no dpkg-deb here: the package is built by Debian's dpkg"
[ -n "$binary" ] || binary=$(build)
[ -x "$binary" ] || fail "$binary is not a program"
version=$("$binary" --version | cut -d' ' -f2)
maintainer="${DEBFULLNAME:-mcast-bench} <${DEBEMAIL:-mcast-bench@example.invalid}>"
architecture=$(dpkg --print-architecture)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
lay_out "$stage"
install -d "$stage/DEBIAN"
control "$stage" >"$stage/DEBIAN/control"
postinst >"$stage/DEBIAN/postinst"
chmod 755 "$stage/DEBIAN/postinst" "$stage"
mkdir -p "$out"
package=$out/mcast-bench_$version-1_$architecture.deb
dpkg-deb --root-owner-group --build "$stage" "$package" >&2
install -m 755 "$binary" "$out/mcast-bench"
printf '%s\n%s\n' "$out/mcast-bench" "$package"
