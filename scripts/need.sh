# Sourced. need PACKAGE: installs a Debian package where this user may, else says what to install.
need() {
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        {
            DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1" ||
                { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; }
        } >&2
    else
        echo "error: the package \`$1\` is missing" >&2
        echo "  hint: as root: apt-get install $1" >&2
        exit 1
    fi
}
