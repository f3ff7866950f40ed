use std::env;

use crate::Level;

/// What `MRL_SIMD` says, or the widest level. A test program ends here if it is asked for what it cannot do: it would else pass
/// without having tested that.
pub(crate) fn level() -> Level {
    let Some(name) = env::var_os("MRL_SIMD") else { return Level::widest() };
    let level = name.to_string_lossy().parse();
    level.unwrap_or_else(|error| panic!("MRL_SIMD: {error}"))
}
