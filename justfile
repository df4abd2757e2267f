# What a developer runs; each recipe is a script that works without `just` too.

_default:
    @just --list

# Format, lints, docs, licences, scripts: everything but the tests, in a minute or two
check:
    .ci/run setup format lints docs deny shellcheck

# Every test, or those whose name contains FILTER
test *FILTER:
    ./scripts/test {{ FILTER }}

# Speed of the default model on this machine
bench *ARGUMENTS:
    ./scripts/bench {{ ARGUMENTS }}

# Format the code
fmt:
    cargo fmt --all
