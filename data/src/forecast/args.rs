//! The command-line arguments of a forecast.

use std::path::PathBuf;

/// The command-line arguments of a forecast.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plan")]
pub struct PlanArgs {
    /// Only print the time and disk space that the run would need, from a measurement of about a second
    #[arg(long)]
    pub plan: bool,
    /// With --plan and no manifest yet: the folder of class folders whose pictures are counted
    #[arg(long, value_name = "DIR", requires = "plan")]
    pub plan_images: Option<PathBuf>,
    /// With --plan and no pictures yet: the number of pictures, or the numbers in train, valid and test
    #[arg(long, value_name = "N|N,N,N", value_delimiter = ',', requires = "plan")]
    pub plan_pictures: Vec<usize>,
    /// With --plan and no manifest yet: the splitter's --ratio
    #[arg(
        long,
        value_name = "TRAIN,VALID,TEST",
        value_delimiter = ',',
        default_value = "0.7,0.15,0.15",
        requires = "plan"
    )]
    pub plan_ratio: Vec<f64>,
    /// With --plan: numbers of copies per train picture to forecast
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', default_value = "0,4", requires = "plan")]
    pub plan_copies: Vec<u32>,
}

impl PlanArgs {
    /// Returns the numbers of copies to forecast, with `asked`, without repetitions, ascending.
    pub fn copies_and(&self, asked: Option<u32>) -> Vec<u32> {
        let mut copies: Vec<u32> = self.plan_copies.iter().copied().chain(asked).collect();
        copies.sort_unstable();
        copies.dedup();
        copies
    }
}
