use mrl_config::AdapterForm;
use tch::Tensor;

/// What an adapter does to rows, in `f32` and on the CPU.
#[derive(Debug)]
pub(super) struct Map {
    /// `[d, d]`: column `i` is the axis that number `i` is taken along. Orthogonal.
    pub(super) axes: Tensor,
    pub(super) residual: Option<Residual>,
}

/// What a residual adapter adds to rows of norm 1 along their axes.
#[derive(Debug)]
pub(super) struct Residual {
    /// `[d, hidden]`.
    pub(super) hidden: Tensor,
    /// `[hidden]`.
    pub(super) bias: Tensor,
    /// `[hidden, d]`.
    pub(super) out: Tensor,
}

impl Map {
    pub(super) fn form(&self) -> AdapterForm {
        if self.residual.is_some() { AdapterForm::Residual } else { AdapterForm::Rotation }
    }

    /// Maps `rows` `[n, d]` of norm 1.
    pub(super) fn apply(&self, rows: &Tensor) -> Tensor {
        let turned = rows.matmul(&self.axes);
        match &self.residual {
            None => turned,
            Some(residual) => &turned + residual.of(&turned),
        }
    }

    /// Its tensors and what they are called in a file.
    pub(super) fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        let mut tensors = vec![(AXES, &self.axes)];
        if let Some(Residual { hidden, bias, out }) = &self.residual {
            tensors.extend([(HIDDEN, hidden), (BIAS, bias), (OUT, out)]);
        }
        tensors
    }
}

pub(super) const AXES: &str = "axes";
pub(super) const HIDDEN: &str = "hidden";
pub(super) const BIAS: &str = "hidden_bias";
pub(super) const OUT: &str = "out";

impl Residual {
    /// What is added to `rows` `[n, d]`.
    pub(super) fn of(&self, rows: &Tensor) -> Tensor {
        (rows.matmul(&self.hidden) + &self.bias).relu().matmul(&self.out)
    }
}
