//! The options of objective and heads over those of a preset.

use std::mem::discriminant;

use anyhow::Result;
use mrl_train::{BarlowTwins, Byol, Config, Head, Objective, Relic, SimClr, VicReg};

use crate::{
    UsageError,
    args::{ObjectiveArgs, TrainArgs},
};

/// Replaces what was given. Another objective than the preset's comes with its own parameters, and one that has no projector
/// does without the preset's; a head without nesting does without the preset's, and one without a hidden layer without what the preset
/// says of it. Weights of 1 are those of any nesting.
pub(super) fn apply(config: &mut Config, args: &TrainArgs) -> Result<()> {
    let Config { model, objective, .. } = config;
    if let Some(chosen) = &args.objective.objective
        && discriminant(chosen) != discriminant(&objective.loss)
    {
        objective.loss = chosen.clone();
        if chosen.needs_labels() {
            (model.head_hidden, model.head_nest_hidden) = (None, true);
            (model.head_batch_norm, model.projection_dim) = (false, None);
        }
    }
    let of_projectors = args.head_nest_hidden.is_some() || args.head_batch_norm.is_some();
    if objective.loss.needs_labels() && of_projectors {
        let problem = "the objective supervised has a linear classifier as its head; leave --head-nest-hidden and --head-batch-norm out";
        return Err(UsageError(problem.to_owned()).into());
    }
    if args.head == Some(Head::Fixed) && args.nesting.is_none() {
        model.nesting = None;
    }
    if args.head_hidden == Some(0) {
        (model.head_nest_hidden, model.head_batch_norm) = (true, false);
    }
    if (args.head.is_some() || args.nesting.is_some())
        && objective.dim_weights.iter().flatten().all(|&weight| weight == 1.0)
    {
        objective.dim_weights = None;
    }
    model.head = args.head.unwrap_or(model.head);
    model.head_hidden = args.head_hidden.or(model.head_hidden);
    model.head_nest_hidden = args.head_nest_hidden.unwrap_or(model.head_nest_hidden);
    model.head_batch_norm = args.head_batch_norm.unwrap_or(model.head_batch_norm);
    model.projection_dim = args.projection_dim.or(model.projection_dim);
    if args.objective.dim_weights.is_some() {
        objective.dim_weights.clone_from(&args.objective.dim_weights);
    }
    set_parameters(&mut objective.loss, &args.objective)
}

/// Every parameter that was given must be one of the objective's.
fn set_parameters(objective: &mut Objective, args: &ObjectiveArgs) -> Result<()> {
    if let Some(given) = args.alpha {
        let Objective::Relic(Relic { alpha }) = objective else {
            return foreign("--alpha", "relic", objective);
        };
        *alpha = given;
    }
    if let Some(given) = args.temperature {
        let Objective::Simclr(SimClr { temperature, .. }) = objective else {
            return foreign("--temperature", "simclr", objective);
        };
        *temperature = given;
    }
    if let Some(given) = args.decoupled {
        let Objective::Simclr(SimClr { decoupled, .. }) = objective else {
            return foreign("--decoupled", "simclr", objective);
        };
        *decoupled = given;
    }
    if let Some(given) = args.predictor_hidden {
        let Objective::Byol(Byol { predictor_hidden }) = objective else {
            return foreign("--predictor-hidden", "byol", objective);
        };
        *predictor_hidden = given;
    }
    if let Some(given) = &args.vicreg_weights {
        let Objective::Vicreg(weights) = objective else {
            return foreign("--vicreg-weights", "vicreg", objective);
        };
        let [invariance, variance, covariance] = given[..] else {
            let problem = format!("--vicreg-weights has {} numbers; give three, as 25,25,1", given.len());
            return Err(UsageError(problem).into());
        };
        *weights = VicReg { invariance, variance, covariance };
    }
    if let Some(given) = args.lambda {
        let Objective::BarlowTwins(BarlowTwins { lambda }) = objective else {
            return foreign("--lambda", "barlow-twins", objective);
        };
        *lambda = given;
    }
    Ok(())
}

fn foreign(option: &str, owner: &str, objective: &Objective) -> Result<()> {
    let problem = format!(
        "{option} is a parameter of the objective {owner}, and not of {objective}; use --objective {owner}, or leave it out"
    );
    Err(UsageError(problem).into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use mrl_train::ObjectiveConfig;

    use super::*;
    use crate::args::{Cli, Command};

    fn args(words: &str) -> TrainArgs {
        let words = ["mrl", "train", "--out", "run"].into_iter().chain(words.split_whitespace());
        match Cli::try_parse_from(words).unwrap().command {
            Command::Train(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn applied(mut config: Config, words: &str) -> Config {
        apply(&mut config, &args(words)).unwrap();
        config
    }

    #[test]
    fn parameters_override_those_of_the_preset_with_the_same_objective() {
        let mut preset = Config::default();
        preset.objective.loss = Objective::Vicreg(VicReg { covariance: 7.0, ..VicReg::default() });
        let kept = applied(preset.clone(), "--objective vicreg --dim-weights 1,2,3");
        assert_eq!(kept.objective.loss, preset.objective.loss);
        assert_eq!(kept.objective.dim_weights, Some(vec![1.0, 2.0, 3.0]));
        let weights = applied(preset.clone(), "--vicreg-weights 2,3,4").objective.loss;
        let expected = VicReg { invariance: 2.0, variance: 3.0, covariance: 4.0 };
        assert_eq!(weights, Objective::Vicreg(expected));
        let other = applied(preset, "--objective simclr --temperature 0.2").objective;
        let loss = Objective::Simclr(SimClr { temperature: 0.2, ..SimClr::default() });
        let expected = ObjectiveConfig { loss, dim_weights: None };
        assert_eq!(other, expected);
    }

    #[test]
    fn every_parameter_reaches_its_objective_and_no_other() {
        for (objective, option, expected) in [
            ("relic", "--alpha 0.5", Objective::Relic(Relic { alpha: 0.5 })),
            (
                "simclr",
                "--temperature 0.1",
                Objective::Simclr(SimClr { temperature: 0.1, ..SimClr::default() }),
            ),
            ("simclr", "--decoupled", Objective::Simclr(SimClr { decoupled: true, ..SimClr::default() })),
            ("byol", "--predictor-hidden 9", Objective::Byol(Byol { predictor_hidden: 9 })),
            ("barlow-twins", "--lambda 0.1", Objective::BarlowTwins(BarlowTwins { lambda: 0.1 })),
            ("vicreg", "--vicreg-weights 25,25,1", Objective::Vicreg(VicReg::default())),
        ] {
            let found = applied(Config::default(), &format!("--objective {objective} {option}"));
            assert_eq!(found.objective.loss, expected);
            let problem = apply(&mut Config::default(), &args(&format!("--objective supervised {option}")));
            let problem = problem.unwrap_err().to_string();
            assert!(
                problem.contains(&format!("of the objective {objective}, and not of supervised")),
                "{problem}"
            );
        }
        let problem =
            apply(&mut Config::default(), &args("--objective vicreg --vicreg-weights 1,2")).unwrap_err();
        assert_eq!(problem.to_string(), "--vicreg-weights has 2 numbers; give three, as 25,25,1");
    }

    #[test]
    fn a_preset_gives_way_to_heads_that_have_less() {
        let mut preset = Config::default();
        (preset.model.projection_dim, preset.model.head_batch_norm) = (Some(64), true);
        preset.model.nesting = Some(vec![8, 512]);
        let supervised = applied(preset.clone(), "--objective supervised").model;
        assert_eq!((supervised.projection_dim, supervised.head_batch_norm), (None, false));
        let fixed = applied(preset.clone(), "--head fixed --head-hidden 128 --head-batch-norm=false").model;
        assert_eq!((fixed.nesting, fixed.head_hidden, fixed.head_batch_norm), (None, Some(128), false));
        let normed = applied(Config::default(), "--head-batch-norm --projection-dim 32").model;
        assert_eq!((normed.head_batch_norm, normed.projection_dim), (true, Some(32)));
        assert_eq!(applied(preset.clone(), "").model, preset.model);
        preset.model.head_nest_hidden = false;
        let linear = applied(preset, "--head-hidden 0").model;
        assert_eq!(
            (linear.head_hidden, linear.head_nest_hidden, linear.head_batch_norm),
            (Some(0), true, false)
        );
    }

    #[test]
    fn equal_weights_of_a_preset_fit_any_nesting() {
        let mut preset = Config::default();
        preset.objective.dim_weights = Some(vec![1.0, 1.0]);
        assert_eq!(applied(preset.clone(), "--nesting 8,64,512").objective.dim_weights, None);
        assert_eq!(applied(preset.clone(), "").objective.dim_weights, preset.objective.dim_weights);
        preset.objective.dim_weights = Some(vec![1.0, 2.0]);
        let kept = applied(preset.clone(), "--nesting 8,64,512").objective.dim_weights;
        assert_eq!(kept, preset.objective.dim_weights);
    }
}
