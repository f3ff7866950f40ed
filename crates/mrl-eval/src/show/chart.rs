use mrl_chart::Drawing;

/// Something drawn, and how to read it.
pub(crate) struct Chart {
    /// The stem of its files.
    pub(crate) name: &'static str,
    /// What is seen, in a sentence or two.
    pub(crate) caption: String,
    pub(crate) drawing: Drawing,
}
