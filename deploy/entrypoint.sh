#!/bin/sh
# Puts the compiled kernels where numba may write, then becomes stream-seg.
set -eu
if [ ! -d "$NUMBA_CACHE_DIR" ]; then
    cp -r "$KERNELS" "$NUMBA_CACHE_DIR"
fi
exec stream-seg "$@"
