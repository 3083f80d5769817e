//! The command-line arguments of a forecast.

use std::path::PathBuf;

/// The flags of a forecast.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plan")]
pub struct PlanArgs {
    /// Say what the run would take, in time and on disk, from a measured second, and do nothing
    #[arg(long)]
    pub plan: bool,
    /// With --plan, where there is no manifest yet: the folder of class folders, to count its pictures
    #[arg(long, value_name = "DIR", requires = "plan")]
    pub plan_images: Option<PathBuf>,
    /// With --plan, where there are no pictures yet either: how many there will be, or how many in train,
    /// valid and test
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
    /// With --plan: the numbers of copies of a train picture to plan for
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', default_value = "0,4", requires = "plan")]
    pub plan_copies: Vec<u32>,
}

impl PlanArgs {
    /// The numbers of copies to plan for and `asked`, each once, ascending.
    pub fn copies_and(&self, asked: Option<u32>) -> Vec<u32> {
        let mut copies: Vec<u32> = self.plan_copies.iter().copied().chain(asked).collect();
        copies.sort_unstable();
        copies.dedup();
        copies
    }
}
