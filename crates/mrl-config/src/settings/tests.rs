use mrl_data::AugmentationPreset;

use super::*;
use crate::presets::PRESETS;
use crate::{BarlowTwins, Byol, FoldChoice, Head, Lars, Relic, SimClr, Supervised, VicReg, Warmup};

/// The settings of a file over these.
fn over(base: Settings, text: &str) -> Result<Config, ConfigError> {
    Settings::parse(text)?.over(base)?.config()
}

/// The same over the default preset.
fn default_with(text: &str) -> Config {
    over(Settings::default(), text).unwrap()
}

/// The same settings as options of a command line.
fn typed(text: &str) -> Settings {
    Settings::typed(&text.parse::<Table>().unwrap()).unwrap()
}

/// What `mrl train --preset` makes of a file with this text.
fn of_file(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    std::fs::write(&path, text).unwrap();
    Config::preset(path.to_str().unwrap()).map_err(|error| error.to_string())
}

#[test]
fn every_preset_is_valid() {
    for (name, _) in PRESETS {
        let config = Config::preset(name).unwrap();
        let is_of_any = [DEFAULT, "reference"].contains(&name);
        assert_eq!(config.data.dataset.is_none(), is_of_any, "{name} names its data set");
        let is_reference = name.starts_with("reference");
        assert_eq!(config.model.head_hidden == Some(0), is_reference, "{name}");
        assert_eq!(config.run.fold == FoldChoice::None, is_reference, "{name}");
        config.check().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let error = Config::preset("nosuch").unwrap_err().to_string();
    assert!(error.starts_with("there is no preset \"nosuch\"; use default, reference, demo"), "{error}");
}

#[test]
fn a_file_of_two_lines_changes_the_default_preset() {
    let mut expected = Config::default();
    expected.run.epochs = Some(50);
    assert_eq!(of_file("[run]\nepochs = 50\n").unwrap(), expected);
    let mut expected = Config::preset("reference").unwrap();
    expected.run.epochs = Some(50);
    assert_eq!(of_file("extends = \"reference\"\n[run]\nepochs = 50\n").unwrap(), expected);
    let error = of_file("extends = \"other\"\n").unwrap_err();
    assert!(
        error.contains("mine.toml: extends = \"other\": there is no such preset; use default"),
        "{error}"
    );
}

#[test]
fn the_examples_in_the_presets_readme_are_valid() {
    let page = include_str!("../../../../presets/README.md");
    let example_of = |section: &str| -> Vec<String> {
        section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
    };
    let examples = page.split("\n## ").skip(1).map(example_of).filter(|example| !example.is_empty());
    let examples: Vec<String> = examples.map(|example| example.join("\n")).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let config = of_file(&example).unwrap();
        assert_ne!(config, Config::default(), "{example}");
        config.check().unwrap();
    }
}

#[test]
fn an_error_names_the_line_and_what_may_be_there() {
    for (text, parts) in [
        ("[run]\nbatchsize = 3\n", ["line 2", "unknown field `batchsize`", "`batch_size`"]),
        ("[run]\nseed = 1\nbatch_size = \"x\"\n", ["line 3", "run.batch_size", "string \"x\""]),
        ("[augmentation]\nhue = 0.1\nblur = 1.0\n", ["line ", "unknown field `blur`", "`blur_p`"]),
        ("[modell]\n", ["line 1", "unknown field `modell`", "`model`"]),
        ("[run]\nepochs = \n", ["line 2", "epochs", "mine.toml"]),
        ("[objective]\nname = \"simclr\"\nalpha = 1.0\n", ["line 1", "relic", "not of the objective simclr"]),
    ] {
        let error = of_file(text).unwrap_err();
        assert!(
            error.contains("mine.toml") && parts.iter().all(|part| error.contains(part)),
            "{text}: {error}"
        );
    }
}

#[test]
fn settings_over_others_exclude_them() {
    let config = default_with("[run]\nmax_steps = 3\n[optimiser]\nwarmup_steps = 2");
    assert_eq!((config.run.epochs, config.run.max_steps), (None, Some(3)));
    assert_eq!(config.optimiser.warmup, Warmup::Steps(2));
    let held_out = Settings::parse("[data]\nholdout = 0.1\n[run]\neval_every = 5").unwrap();
    let held_out = held_out.over(Settings::default()).unwrap();
    assert_eq!(held_out.config().unwrap().run.eval_every, Some(5));
    let none = over(held_out, "[data]\nholdout = 0").unwrap();
    assert_eq!((none.data.holdout, none.run.eval_every), (None, None));
    none.check().unwrap();
}

#[test]
fn nesting_can_begin_late_or_at_once() {
    let late = || Settings::parse("[run]\nnest_after = 0.5").unwrap().over(Settings::default()).unwrap();
    assert_eq!(late().config().unwrap().run.nest_after, Some(0.5));
    assert_eq!(over(late(), "[run]\nnest_after = 0").unwrap().run.nest_after, None);
    assert_eq!(over(late(), "[model]\nhead = \"fixed\"").unwrap().run.nest_after, None);
    // The default rotates without late nesting; with it, the rotation is where prefixes begin.
    assert_eq!(Config::default().run.rotate_after, Some(0.5));
    assert_eq!(late().config().unwrap().run.rotate_after, None);
    assert_eq!(over(Settings::default(), "[run]\nrotate_after = 0").unwrap().run.rotate_after, None);
    let both = over(late(), "[model]\nhead = \"fixed\"\n[run]\nnest_after = 0.3").unwrap();
    assert!(both.check().unwrap_err().to_string().starts_with("nest-after is for heads that train prefixes"));
    let rotated = Settings::parse("[run]\nrotate_after = 0.5").unwrap().over(Settings::default()).unwrap();
    assert_eq!(rotated.config().unwrap().run.rotate_after, Some(0.5));
    let off = over(rotated.clone(), "[run]\nrotate_after = 0\nnest_after = 0.5").unwrap();
    assert_eq!((off.run.rotate_after, off.run.nest_after), (Some(0.0), Some(0.5)));
    off.check().unwrap();
    assert_eq!(over(rotated, "[model]\nhead = \"fixed\"").unwrap().run.rotate_after, None);
    for share in ["1", "-0.1", "nan"] {
        let error = over(late(), &format!("[run]\nnest_after = {share}")).unwrap().check().unwrap_err();
        assert!(error.to_string().starts_with("nest-after must be a share"), "{share}: {error}");
    }
}

#[test]
fn an_embedding_has_a_layer_of_its_own_or_is_the_features() {
    let layer = || Settings::parse("[model]\nembedding_dim = 48").unwrap().over(Settings::default()).unwrap();
    let config = layer().config().unwrap();
    assert_eq!(config.model.embedding_width(), 48);
    assert_eq!(config.nesting().unwrap().dims(), [8, 16, 32, 48]);
    let none = over(layer(), "[model]\nembedding_dim = 0").unwrap();
    assert_eq!((none.model.embedding_dim, none.model.embedding_width()), (None, 512));
    let error = over(layer(), "[model]\nembedding_dim = 70000").unwrap().check().unwrap_err();
    assert!(error.to_string().starts_with("embedding-dim must be between 1 and 65536"), "{error}");
    let error = over(layer(), "[model]\nnesting = [8, 512]").unwrap().check().unwrap_err();
    assert!(error.to_string().contains("exceeds the width 48"), "{error}");
}

#[test]
fn an_objective_comes_with_its_own_settings() {
    let kept = default_with("[objective]\nname = \"vicreg\"\ndim_weights = [1, 2, 3, 4, 5, 6, 7]");
    assert_eq!(kept.objective.loss, Config::default().objective.loss);
    for (text, expected) in [
        ("name = \"relic\"\nalpha = 0.5", Objective::Relic(Relic { alpha: 0.5 })),
        ("name = \"simclr\"", Objective::Simclr(SimClr::default())),
        ("name = \"byol\"\npredictor_hidden = 9", Objective::Byol(Byol { predictor_hidden: 9 })),
        ("name = \"barlow-twins\"", Objective::BarlowTwins(BarlowTwins::default())),
        ("covariance = 7", Objective::Vicreg(VicReg { covariance: 7.0, ..VicReg::default() })),
    ] {
        assert_eq!(default_with(&format!("[objective]\n{text}")).objective.loss, expected, "{text}");
    }
}

#[test]
fn a_classifier_has_no_projector_and_what_follows_it_has_one_again() {
    let supervised = Settings::parse("[objective]\nname = \"supervised\"").unwrap();
    let supervised = supervised.over(Settings::default()).unwrap();
    let config = supervised.config().unwrap();
    assert_eq!(config.objective.loss, Objective::Supervised(Supervised::default()));
    assert_eq!((config.model.head_hidden, config.model.projection_dim), (None, None));
    config.check().unwrap();
    let hidden =
        over(supervised.clone(), "[model]\nhead_hidden = 8").unwrap().check().unwrap_err().to_string();
    assert!(hidden.contains("leave head-hidden"), "{hidden}");
    let again = over(supervised, "[objective]\nname = \"byol\"").unwrap();
    assert_eq!(again.model, Config::default().model);
}

#[test]
fn heads_with_less_do_without_the_settings_below() {
    let base = "[model]\nnesting = [8, 512]\n[objective]\ndim_weights = [1, 1]";
    let base = || Settings::parse(base).unwrap().over(Settings::default()).unwrap();
    let fixed = over(base(), "[model]\nhead = \"fixed\"").unwrap();
    assert_eq!(
        (fixed.model.head, fixed.model.nesting, fixed.objective.dim_weights),
        (Head::Fixed, None, None)
    );
    let linear = over(base(), "[model]\nhead_hidden = 0").unwrap();
    assert_eq!((linear.model.head_nest_hidden, linear.model.head_batch_norm), (Some(true), Some(false)));
    assert_eq!(linear.objective.dim_weights, Some(vec![1.0, 1.0]));
    let weighted = Settings::parse("[objective]\ndim_weights = [1, 2]").unwrap().over(base()).unwrap();
    let fixed = over(weighted.clone(), "[model]\nhead = \"fixed\"").unwrap();
    assert_eq!(fixed.objective.dim_weights, None);
    let weighted = over(weighted, "[model]\nnesting = [8, 64, 512]").unwrap();
    assert_eq!(weighted.objective.dim_weights, Some(vec![1.0, 2.0]), "which `check` refuses");
}

#[test]
fn another_optimiser_needs_values_of_its_own() {
    let error =
        |text: &str| over(Settings::default(), &format!("[optimiser]\n{text}")).unwrap_err().to_string();
    assert_eq!(
        error("kind = \"lars\""),
        "preset settings: the optimiser lars needs values of its own: lr 0.002 and weight_decay 0.1 are for adamw; give lr and \
         weight_decay in its section [optimiser]"
    );
    assert!(
        error("kind = \"adam\"").contains("weight_decay 0.1 is for adamw; give weight_decay in its section")
    );
    assert!(error("kind = \"adm\"").contains("unknown variant `adm`"), "{}", error("kind = \"adm\""));
    let typed = typed("[optimiser]\nkind = \"lars\"");
    let error = typed.over(Settings::default()).unwrap_err().to_string();
    assert!(error.ends_with("are for adamw; give --lr and --weight-decay"), "{error}");
    let lars = "kind = \"lars\"\nlr = 1\nweight_decay = 0\ntrust_coefficient = 0.002";
    let lars = Settings::parse(&format!("[optimiser]\n{lars}")).unwrap().over(Settings::default()).unwrap();
    let rule = lars.config().unwrap().optimiser.rule;
    assert_eq!(rule, Rule::Lars(Lars { trust_coefficient: 0.002, ..Lars::default() }));
    let adam = over(lars, "[optimiser]\nkind = \"adam\"\nlr = 1\nweight_decay = 0").unwrap();
    assert_eq!(adam.optimiser.rule, Rule::Adam);
}

#[test]
fn the_name_of_an_augmentation_is_all_of_it_and_a_setting_holds_for_both_views() {
    let demo = Settings::preset("demo").unwrap();
    let byol = over(demo.clone(), "[augmentation]\npreset = \"byol\"").unwrap();
    assert_eq!(byol.augmentation, AugmentationPreset::Byol.augmentations());
    let second = Settings::parse("[augmentation.second]\nblur_p = 0.3").unwrap().over(demo).unwrap();
    assert_eq!(second.config().unwrap().augmentation.second.blur_p, 0.3);
    let byol = over(second.clone(), "[augmentation.second]\npreset = \"byol\"").unwrap().augmentation;
    assert_eq!(byol.first, Config::preset("demo").unwrap().augmentation.first);
    assert_eq!(byol.second, AugmentationPreset::Byol.augmentations().second);
    let both = over(second, "[augmentation]\nblur_p = 0.7").unwrap().augmentation;
    assert_eq!((both.first.blur_p, both.second.blur_p), (0.7, 0.7));
}

#[test]
fn defaults_are_those_of_the_default_preset_or_of_what_has_the_setting() {
    let of = |key: &str| Settings::default_of(key).unwrap();
    assert_eq!([of("lr"), of("view_scales"), of("encoder")], ["0.002", "0.5,0.5,0.5,1.0", "resnet18"]);
    assert_eq!([of("temperature"), of("trust_coefficient"), of("momentum")], ["0.5", "0.001", "0.9"]);
    assert_eq!(Settings::default_of("holdout"), None);
}

#[test]
fn options_that_are_wrong_are_named_and_not_the_preset() {
    let refused =
        |text: &str| typed(text).over(Settings::default()).unwrap().config().unwrap_err().to_string();
    assert_eq!(
        refused("[objective]\nalpha = 1.0"),
        "--alpha is a setting of relic, not of the objective vicreg; leave it out, or choose --objective relic"
    );
    let trust = refused("[optimiser]\ntrust_coefficient = 1.0");
    assert!(
        trust.starts_with("--trust-coefficient is a setting of lars, not of the optimiser adamw"),
        "{trust}"
    );
}

#[test]
fn a_damaged_width_is_an_error() {
    for width in ["1e300", "-1", "nan", "0"] {
        let text = format!("[model]\nwidth = {width}\n[objective]\nname = \"relic\"\n");
        assert!(crate::parse_run_config(&text).is_err(), "{width}");
    }
}
