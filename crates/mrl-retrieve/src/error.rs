/// Why an index could not be made, read or searched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The principal components of the rows cannot be found.
    #[error("the principal components of rows of {width} numbers cannot be found; build without a rotation")]
    Rotation {
        /// Numbers in a row.
        width: usize,
    },
}
