//! The presets that come with the program, one file each.

/// The preset of a run that names none.
pub(crate) const DEFAULT: &str = "default";

/// The recipe of the reference implementation, which files of earlier versions mean where they leave a setting out.
pub(crate) const REFERENCE: &str = "reference";

pub(crate) const PRESETS: [(&str, &str); 7] = [
    (DEFAULT, include_str!("../../../presets/default.toml")),
    (REFERENCE, include_str!("../../../presets/reference.toml")),
    ("demo", include_str!("../../../presets/demo.toml")),
    ("reference-cifar10-resnet18", include_str!("../../../presets/reference-cifar10-resnet18.toml")),
    ("reference-stl10-resnet18", include_str!("../../../presets/reference-stl10-resnet18.toml")),
    ("reference-stl10-resnet50", include_str!("../../../presets/reference-stl10-resnet50.toml")),
    ("simclr-cifar10-resnet18", include_str!("../../../presets/simclr-cifar10-resnet18.toml")),
];

/// The names of the presets, for errors.
pub(crate) fn names() -> String {
    PRESETS.map(|(name, _)| name).join(", ")
}

/// The text of a preset.
pub(crate) fn text(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(preset, _)| *preset == name).map(|(_, text)| *text)
}
