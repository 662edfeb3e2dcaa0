//! Provers whose entries are right, but for other seeds than those of their commit.

use crate::answers::Answers;
use crate::{cpu, judged, rng, run, task, Cheat, Kind, Trial};
use millrace_core::proof::{next_seed, Task};
use millrace_gemm::cheats::prove_with_seeds;
use millrace_gemm::{queries, Refusal};
use rand::{rngs::StdRng, Rng};
use std::sync::{Arc, LazyLock};

pub(crate) fn cheats() -> Vec<Cheat> {
    let replay = |name, does, change| Cheat {
        name,
        does,
        caught_by: "the first seed, which names deployment, node, GPU, epoch, beacon and nonce",
        missed: 0.0,
        kind: Kind::Answer,
        trial: replayed(change),
    };
    let link = |name, does, trial| Cheat {
        name,
        does,
        caught_by: "the seed of a round, which is a hash of the round before",
        missed: 0.0,
        kind: Kind::Run,
        trial,
    };
    vec![
        replay("replay of another epoch", "commits the run of an earlier epoch again", |task, rng| {
            (task.epoch, task.beacon) = (rng.random_range(6..u64::MAX), rng.random());
        }),
        replay("replay of another node", "commits the run of one node for another of its own", |task, rng| {
            task.node = rng.random();
        }),
        replay("one run for two GPUs", "commits the run of one GPU for the next as well", |task, rng| {
            task.gpu_index = rng.random_range(1..64);
        }),
        replay(
            "result shared by colluders",
            "gets the run from another provider, audited at the same time",
            |task, rng| {
                (task.node, task.nonce) = (rng.random(), rng.random());
            },
        ),
        replay("another cluster's run", "commits the run of the same node in another deployment", |task, rng| {
            task.deployment_id = rng.random();
        }),
        link(
            "false seed link between rounds",
            "takes a seed of its own for one of the later rounds",
            linked(|seeds| {
                let (round, seed) = (seeds.random_range(1..ROUNDS), seeds.random());
                (round, Box::new(move |index, right| if index == round { seed } else { right }))
            }),
        ),
        link(
            "rounds side by side",
            "makes all seeds from the first, so that several machines share the rounds",
            linked(|seeds| {
                let salt = seeds.random::<[u8; 32]>();
                let side_by_side =
                    move |index, right| if index == 0 { right } else { next_seed(&salt, &[index as u8; 24]) };
                (1, Box::new(side_by_side))
            }),
        ),
    ]
}

const ROUNDS: u32 = 4;

/// Commits one honest run for a task that `change` makes another.
fn replayed(change: fn(&mut Task, &mut StdRng)) -> Trial {
    let made: LazyLock<Answers> = LazyLock::new(|| Answers::of(run(&task(256, 2), cpu())));
    Box::new(move |seed| {
        let mut rng = rng(seed);
        let mut other = task(256, 2);
        change(&mut other, &mut rng);
        let commit = other.commit(made.commit().super_root);
        let next_beacon = rng.random();
        let bundle = made.answer(&queries(&commit, &next_beacon));
        judged(&commit, &next_beacon, &bundle.to_bytes()) == Err(Refusal::FalseSeed { round: 0 })
    })
}

/// The seed taken for a round, given the right one.
type Link = Box<dyn Fn(u32, [u8; 32]) -> [u8; 32]>;

/// Runs with seeds that `choose` makes up, the first false one in the round it names.
fn linked(choose: fn(&mut StdRng) -> (u32, Link)) -> Trial {
    let prover = Arc::new(cpu());
    Box::new(move |seed| {
        let mut rng = rng(seed);
        let (round, link) = choose(&mut rng);
        let run = prove_with_seeds(&task(256, ROUNDS), prover.clone(), link).expect("the task is of an allowed size");
        let next_beacon = rng.random();
        let bundle = run.answer(&queries(run.commit(), &next_beacon));
        judged(run.commit(), &next_beacon, &bundle.to_bytes()) == Err(Refusal::FalseSeed { round })
    })
}
