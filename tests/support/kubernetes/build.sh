#!/usr/bin/env bash
# Builds kube-apiserver and kube-controller-manager from Debian's source; tests/setup.sh calls it.
#
#   build.sh GOROOT GOPATH TARGET    the source is GOPATH/src/k8s.io/kubernetes, programs go to TARGET
#
# The source is complete but for one generated file. Kubernetes' own Makefile makes it only after four
# generators more, rsync and a list of all packages' dependencies, none of which is needed for it.
set -euo pipefail

export GOROOT=$1 GOPATH=$2 GOCACHE=$2/cache GOTMPDIR=$2/tmp
export GO111MODULE=off GOFLAGS= CGO_ENABLED=0 HOME=$2
target=$3
go=$GOROOT/bin/go
project=k8s.io/kubernetes
version=v1.20.2

mkdir -p "$GOTMPDIR" "$target"
cd "$GOPATH/src/$project"

# What API objects look like, from all packages that say so in a comment. Server-side apply needs it.
mapfile -t packages < <(
    grep -RlE --include='*.go' '^// *\+k8s:openapi-gen=' vendor/k8s.io pkg | xargs -n1 dirname |
        grep -vE '/(code-generator|sample-[a-z-]+)/' | LC_ALL=C sort -u
)
"$go" build -o "$GOPATH/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
PATH=$GOROOT/bin:$PATH "$GOPATH/openapi-gen" --logtostderr \
    --go-header-file hack/boilerplate/boilerplate.generatego.txt \
    --input-dirs "$(printf "$project/%s\n" "${packages[@]}" | paste -sd,)" \
    --output-package "$project/pkg/generated/openapi" --output-file-base zz_generated.openapi \
    --report-filename /dev/null

flags='-s -w'
for package in component-base/version client-go/pkg/version; do
    stamp=$project/vendor/k8s.io/$package
    flags+=" -X $stamp.gitVersion=$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=20"
done
for program in kube-apiserver kube-controller-manager; do
    "$go" build -ldflags "$flags" -o "$target/$program" "./cmd/$program"
done
