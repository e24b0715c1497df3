#!/usr/bin/env bash
# Gets the servers that tests and demo run against: Debian packages, unpacked into a cache folder.
#
# Nothing is installed on the system, no service starts, no root is needed. Each package is found in
# Debian's signed index, and its hash is checked. What is there already is left alone.
#
# Kubernetes is no package of Debian's, but its source is: that is built with Debian's Go, once, which
# takes some minutes and 3 GB that are free again afterwards.
#
#   tests/setup.sh                 everything
#   tests/setup.sh prometheus2     only the named ones
#   tests/setup.sh --list          their names
#
# A server NAME lands in $cache/NAME/, with the package's own tree below (usr/bin/…).
set -euo pipefail

# name, suite, packages. Debian 12 has what people have run for years; sid has what is new.
readonly servers='
prometheus2      bookworm  prometheus
prometheus3      sid       prometheus promtool
alertmanager     bookworm  prometheus-alertmanager
alertmanager3    sid       prometheus-alertmanager
victoriametrics  bookworm  victoria-metrics
chasquid         bookworm  chasquid
postgres         bookworm  postgresql-15
faketime         bookworm  libfaketime
kubernetes       bookworm  etcd-server
'
# What it takes to build kube-apiserver and kube-controller-manager.
readonly go=1.19 kubernetes_source=kubernetes
readonly mirror=${DAMPER_DEBIAN_MIRROR:-http://deb.debian.org/debian}
readonly keyring=/usr/share/keyrings/debian-archive-keyring.gpg
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/damper
work=

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    say "$1"
    [ $# -lt 2 ] || say "to fix it: $2"
    exit 1
}

need() {
    command -v "$1" >/dev/null || fail "the program $1 is missing" "apt-get install $2"
}

# download URL FILE: three tries, with whatever this system has.
download() {
    local try
    for try in 1 2 3; do
        if command -v curl >/dev/null; then
            curl -fsSL --connect-timeout 15 --speed-limit 1000 --speed-time 30 -o "$2" "$1" && return
        elif command -v wget >/dev/null; then
            wget -q --tries=1 --timeout=30 -O "$2" "$1" && return
        else
            /usr/lib/apt/apt-helper download-file "$1" "$2" >/dev/null 2>&1 && return
        fi
        say "download of $1 failed (try $try of 3)"
        [ "$try" = 3 ] || sleep $((try * 2))
    done
    fail "cannot download $1" "check the network, or name a mirror in DAMPER_DEBIAN_MIRROR"
}

# index SUITE [PATH]: prints the path of the suite's list of packages, or of the one named, fetched
# once per run and checked against the archive's signature.
index() {
    local path=${2:-main/binary-$arch/Packages.gz} list hash
    list=$work/$1.$(basename "$path" .gz)
    if [ ! -f "$list" ]; then
        say "reading Debian's index of $1${2:+, sources}"
        download "$mirror/dists/$1/InRelease" "$work/$1.inrelease"
        gpgv --quiet --keyring "$keyring" --output "$work/$1.release" "$work/$1.inrelease" 2>"$work/gpgv" ||
            fail "the index of $1 is not signed by Debian: $(tail -n 1 "$work/gpgv")" \
                "apt-get install --only-upgrade debian-archive-keyring"
        hash=$(awk -v path="$path" '/^SHA256:/ {on = 1} on && $3 == path {print $1; exit}' "$work/$1.release")
        [ -n "$hash" ] || fail "Debian's $1 has no packages for $arch" "use amd64 or arm64"
        # By its hash, so that a mirror in the middle of an update does no harm.
        download "$mirror/dists/$1/${path%/*}/by-hash/SHA256/$hash" "$list.gz"
        check "$list.gz" "$hash"
        gzip -dc "$list.gz" >"$list"
    fi
    echo "$list"
}

# check FILE SHA256
check() {
    echo "$2  $1" | sha256sum --check --status ||
        fail "$1 is not what Debian's index says it is" "run it again, or name another mirror in DAMPER_DEBIAN_MIRROR"
}

# field LIST PACKAGE FIELD: one field of a package's entry; nothing when there is no such package.
field() {
    awk -v package="$2" -v field="$3:" '
        $1 == "Package:" {on = $2 == package}
        on && $1 == field {sub(/^[^ ]+ /, ""); print; exit}' "$1"
}

# unpack SUITE PACKAGE FOLDER
unpack() {
    local list file
    list=$(index "$1")
    file=$(field "$list" "$2" Filename)
    [ -n "$file" ] || fail "Debian's $1 has no package $2 for $arch" "name a mirror that has it in DAMPER_DEBIAN_MIRROR"
    say "unpacking $2 $(field "$list" "$2" Version) from $1"
    download "$mirror/$file" "$work/$2.deb"
    check "$work/$2.deb" "$(field "$list" "$2" SHA256)"
    dpkg -x "$work/$2.deb" "$3"
    rm "$work/$2.deb"
}

# unpack_source SUITE PACKAGE FOLDER: a source package, with Debian's patches.
unpack_source() {
    local list folder hash file description=
    list=$(index "$1" main/source/Sources.gz)
    folder=$(field "$list" "$2" Directory)
    [ -n "$folder" ] || fail "Debian's $1 has no source $2" "name a mirror that has it in DAMPER_DEBIAN_MIRROR"
    say "unpacking the source of $2 $(field "$list" "$2" Version) from $1"
    while read -r hash _ file; do
        download "$mirror/$folder/$file" "$work/$file"
        check "$work/$file" "$hash"
        case $file in *.dsc) description=$file ;; esac
    done < <(awk -v package="$2" '
        $1 == "Package:" {on = $2 == package}
        on && /^[^ ]/ {hashes = $1 == "Checksums-Sha256:"; next}
        on && /^$/ {exit}
        on && hashes' "$list")
    # Its hash is in the signed index; nobody's own signature adds to that.
    dpkg-source --no-check -x "$work/$description" "$3" >"$work/source.log" 2>&1 ||
        fail "cannot unpack the source of $2: $(tail -n 3 "$work/source.log")" "apt-get install dpkg-dev"
}

# build_kubernetes SUITE FOLDER: two programs into FOLDER/usr/bin.
build_kubernetes() {
    local tools=$work/go path=$work/gopath reflect=github.com/modern-go/reflect2
    local source=$path/src/k8s.io/kubernetes
    unpack "$1" "golang-$go-go" "$tools"
    unpack "$1" "golang-$go-src" "$tools"
    mkdir -p "$path/src/k8s.io"
    unpack_source "$1" "$kubernetes_source" "$source"
    # Its own copy of this one is made for Go up to 1.17; with a newer one custom resources crash the server.
    unpack "$1" golang-github-modern-go-reflect2-dev "$tools"
    rm -r "$source/vendor/$reflect"
    cp -r "$tools/usr/share/gocode/src/$reflect" "$source/vendor/$reflect"
    say "building kube-apiserver and kube-controller-manager: about five minutes, once"
    "$here/support/kubernetes/build.sh" "$tools/usr/lib/go-$go" "$path" "$2/usr/bin" >"$work/build.log" 2>&1 ||
        fail "they do not build: $(tail -n 20 "$work/build.log")"
    # At once, not with the rest: it is 3 GB.
    rm -rf "$tools" "$path" "$work"/kubernetes_*
}

# missing FOLDER: the shared libraries that programs in it want and nobody has.
missing() {
    local folder=$1 libs
    libs=$(libraries "$folder")
    find "$folder" -path '*/bin/*' -type f -executable -exec env LD_LIBRARY_PATH="$libs" ldd {} + 2>/dev/null |
        awk '/not found/ {print $1}' | sort -u
}

# libraries FOLDER: where libraries lie that came along, as LD_LIBRARY_PATH.
libraries() { echo "$1/usr/lib/$multiarch:$1/lib/$multiarch"; }

# complete SUITE FOLDER PACKAGE…: adds the libraries that this system lacks from the packages depended on.
complete() {
    local suite=$1 folder=$2 list package depends seen=' '
    shift 2
    local todo=("$@")
    list=$(index "$suite")
    while [ -n "$(missing "$folder")" ]; do
        [ ${#todo[@]} -gt 0 ] ||
            fail "no package has $(missing "$folder" | xargs), which $folder needs" "use Debian 12 or newer"
        package=${todo[0]}
        todo=("${todo[@]:1}")
        # Alternatives and versions do not matter here: the suite is one consistent set.
        depends=$(field "$list" "$package" Depends | tr ',' '\n' | awk '{print $1}' | sed 's/:any$//' | grep '^lib' || true)
        for package in $depends; do
            case $seen in *" $package "*) continue ;; esac
            seen+="$package "
            [ "$package" != libc6 ] || continue
            unpack "$suite" "$package" "$folder"
            todo+=("$package")
        done
    done
}

# relocate FOLDER: Debian's Alertmanager looks for its templates where its package would have put them;
# this one looks below .usr in the folder it is started in. A path as long as the other fits in its place.
relocate() {
    LC_ALL=C sed -i 's|/usr/share/prometheus/alertmanager|.usr/share/prometheus/alertmanager|g' \
        "$1/usr/bin/prometheus-alertmanager"
    touch "$1/.relocated"
}

# is_there NAME
is_there() {
    [ -e "$cache/$1/.complete" ] || return 1
    case $1 in alertmanager*) [ -e "$cache/$1/.relocated" ] ;; esac
}

# provide NAME SUITE PACKAGE…
provide() {
    local name=$1 suite=$2 target=$cache/$1
    shift 2
    ! is_there "$name" || return 0
    local fresh=$work/$name
    mkdir "$fresh"
    for package in "$@"; do unpack "$suite" "$package" "$fresh"; done
    [ "$name" != kubernetes ] || build_kubernetes "$suite" "$fresh"
    complete "$suite" "$fresh" "$@"
    case $name in alertmanager*) relocate "$fresh" ;; esac
    touch "$fresh/.complete"
    rm -rf "$target"
    # PostgreSQL refuses to run as root, and nobody else may look into root's home.
    if [ "$name" = postgres ] && [ "$(id -u)" = 0 ]; then
        mkdir -p /var/cache/damper
        rm -rf "/var/cache/damper/$name"
        mv "$fresh" "/var/cache/damper/$name"
        ln -sfn "/var/cache/damper/$name" "$target"
    else
        mv "$fresh" "$target"
    fi
    say "$name is in $target"
}

main() {
    local names name suite packages known
    known=$(awk 'NF {print $1}' <<<"$servers")
    [ "${1:-}" != --list ] || { echo "$known"; return; }
    names=${*:-$known}
    for name in $names; do
        grep -qx "$name" <<<"$known" || fail "there is no server $name" "choose from: $(xargs <<<"$known")"
    done
    # The usual case: everything is there, and no program but this shell has run.
    local lacking=()
    for name in $names; do is_there "$name" || lacking+=("$name"); done
    [ ${#lacking[@]} -gt 0 ] || return 0

    need dpkg dpkg
    need gpgv gpgv
    need setpriv util-linux
    case " ${lacking[*]} " in *" kubernetes "*) need dpkg-source dpkg-dev ;; esac
    [ -r "$keyring" ] || fail "Debian's archive key $keyring is missing" "apt-get install debian-archive-keyring"
    arch=$(dpkg --print-architecture)
    multiarch=$(uname -m)-linux-gnu
    umask 022
    mkdir -p "$cache"
    exec 9>"$cache/.lock"
    flock 9
    # Beside its target, so that the last step is a rename: half a server is never seen.
    work=$(mktemp -d "$cache/.setup.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    while read -r name suite packages; do
        case " ${lacking[*]} " in *" $name "*) ;; *) continue ;; esac
        # shellcheck disable=SC2086  # the packages are words
        provide "$name" "$suite" $packages
    done < <(awk 'NF' <<<"$servers")
}

main "$@"
