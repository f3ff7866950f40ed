use anyhow::Result;
use mrl_train::{OptimiserConfig, OptimiserKind};

use super::{set, set_option};
use crate::{UsageError, args::OptimiserArgs};

/// Puts the options over what the preset has.
pub(super) fn override_optimiser(config: &mut OptimiserConfig, args: &OptimiserArgs) -> Result<()> {
    check_rate(config, args)?;
    if args.optimiser.is_some_and(|kind| kind != config.kind) {
        (config.momentum, config.nesterov, config.trust_coefficient) = (None, false, None);
    }
    set(&mut config.kind, args.optimiser.as_ref());
    set(&mut config.lr, args.lr.as_ref());
    set(&mut config.weight_decay, args.weight_decay.as_ref());
    set_option(&mut config.decay_norms_and_biases, args.decay_norms_and_biases.as_ref());
    set_option(&mut config.momentum, args.momentum.as_ref());
    set(&mut config.nesterov, args.nesterov.as_ref());
    set_option(&mut config.trust_coefficient, args.trust_coefficient.as_ref());
    set(&mut config.schedule, args.schedule.as_ref());
    set(&mut config.min_lr, args.min_lr.as_ref());
    if args.warmup_epochs.is_some() || args.warmup_steps.is_some() || args.warmup_share.is_some() {
        // The one replaces the other, whichever the preset has.
        (config.warmup_epochs, config.warmup_steps) = (args.warmup_epochs, args.warmup_steps);
        config.warmup_share = args.warmup_share;
    }
    Ok(())
}

/// A rate that is meant for one rule says nothing of another, unless both scale gradients as Adam does.
fn check_rate(config: &OptimiserConfig, args: &OptimiserArgs) -> Result<(), UsageError> {
    let is_adam = |kind| matches!(kind, OptimiserKind::Adam | OptimiserKind::AdamW);
    let (preset, lr) = (config.kind, config.lr);
    match args.optimiser {
        Some(kind) if args.lr.is_none() && kind != preset && !(is_adam(kind) && is_adam(preset)) => {
            let problem = format!("needs a rate of its own: the preset's {lr} is for {preset}; give --lr");
            Err(UsageError(format!("--optimiser {kind} {problem}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_rule_forgets_what_only_the_presets_has() {
        let preset: OptimiserConfig =
            toml::from_str("kind = 'lars'\ntrust_coefficient = 0.002\nmomentum = 0.8\nwarmup_epochs = 10.0")
                .unwrap();
        let over = |args: &OptimiserArgs| {
            let mut config = preset.clone();
            override_optimiser(&mut config, args).unwrap();
            config
        };
        let kind = |kind| OptimiserArgs { optimiser: Some(kind), lr: Some(0.1), ..OptimiserArgs::default() };
        assert_eq!(over(&kind(OptimiserKind::Lars)), OptimiserConfig { lr: 0.1, ..preset.clone() });
        let adam = over(&kind(OptimiserKind::Adam));
        assert_eq!((adam.momentum, adam.trust_coefficient, adam.warmup_epochs), (None, None, Some(10.0)));
        let steps = over(&OptimiserArgs { warmup_steps: Some(3), ..OptimiserArgs::default() });
        assert_eq!((steps.warmup_epochs, steps.warmup_steps), (None, Some(3)));
        assert_eq!(steps.trust_coefficient, Some(0.002));
    }
}
