use crate::Step;

/// Counts pieces of work for the caller.
pub(crate) struct Pieces<'a> {
    done: usize,
    total: usize,
    progress: &'a mut dyn FnMut(Step<'_>),
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(total: usize, progress: &'a mut dyn FnMut(Step<'_>)) -> Self {
        Self { done: 0, total, progress }
    }

    pub(crate) fn begin(&mut self, what: &str) {
        (self.progress)(Step { done: self.done, total: self.total, what });
        self.done += 1;
    }

    pub(crate) fn end(&mut self) {
        (self.progress)(Step { done: self.total, total: self.total, what: "" });
    }
}
