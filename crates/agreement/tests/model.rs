//! Every state that small worlds of seats can come into, by the vote itself: messages lost or late, transactions that land late
//! or never, processes killed and restarted with or without their journal, and a seat that lies.
//!
//! A report here is one figure. Seats agree with what differs from their own by at most one.

use std::collections::BTreeSet;

use millrace_agreement::vote::{Report, Terms};
use millrace_agreement::{Look, Step, Vote};
use stateright::{Checker, HasDiscoveries, Model, Property};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Figure(u8);

impl Report for Figure {
    type Root = Self;

    fn root(&self) -> Self {
        *self
    }
}

/// What no honest seat saw.
const FALSE: Figure = Figure(9);

fn agrees(own: Figure, other: Figure) -> bool {
    own.0.abs_diff(other.0) <= 1
}

/// What is broken on purpose, to see that the checker finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    /// A process started after the epoch's end votes as if it had been there.
    ForgetsThatItWasDown,
    /// A seat that sees a heavier root drops what it had chosen.
    ChangesItsMind,
    /// A seat signs whatever it is shown.
    ComparesNothing,
}

/// A world: what each honest seat saw, and as many liars in the seats after them as there are.
#[derive(Clone, Debug)]
struct World {
    own: Vec<Figure>,
    liars: u8,
    /// Seat that proposes first.
    first: u8,
    /// How many crashes there may be.
    crashes: u8,
    /// What a liar may sign: by default something that is not quite what most saw, and something that nobody saw. Without any
    /// it is down.
    lies: Vec<Figure>,
    /// Whether nothing is late: each honest seat looks, asks, is answered and signs in one step.
    is_prompt: bool,
    flaw: Flaw,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Seat {
    /// `None` while the process is down.
    vote: Option<Vote<Figure>>,
    /// What is on its disk.
    journal: Option<Figure>,
    /// What it last saw on chain.
    seen: Vec<Option<Figure>>,
    /// Proposers whose turn has come, by its clock.
    due: u8,
    /// Every root it ever signed, sent or not.
    signed: BTreeSet<Figure>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    seats: Vec<Seat>,
    /// Signed, sent, and perhaps to land.
    under_way: BTreeSet<(u8, Figure)>,
    /// The chain's rows, by seat.
    rows: Vec<Option<Figure>>,
    /// Every root that ever had a quorum.
    accepted: BTreeSet<Figure>,
    crashes: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Look(u8),
    Tick(u8),
    /// A seat asks and chooses; these answers come.
    Choose(u8, Vec<(u8, Figure)>),
    /// A seat proposes this, which is the median of what it was told.
    Propose(u8, Figure),
    Sign(u8),
    Land(u8, Figure),
    Crash(u8),
    Restart {
        seat: u8,
        has_journal: bool,
    },
    Lie(u8, Figure),
    /// Where nothing is late: a whole turn of a seat, as far as it goes.
    Turn(u8, bool),
    /// Where nothing is late: the next proposer's turn comes.
    TickAll,
}

impl World {
    fn terms(&self, seat: u8, was_up: bool) -> Terms {
        let seats = self.own.len() + usize::from(self.liars);
        Terms { seat, weights: vec![1; seats], first: self.first, fallback_millis: 1, was_up }
    }

    fn count(&self) -> u8 {
        self.own.len() as u8 + self.liars
    }

    fn agrees(&self, seat: u8, figure: Figure) -> bool {
        self.flaw == Flaw::ComparesNothing || agrees(self.own[usize::from(seat)], figure)
    }

    fn look(&self, seat: &Seat) -> Look<Figure> {
        Look { elapsed_millis: u64::from(seat.due), signed: seat.seen.clone() }
    }

    /// What a seat would be asked, and whether it may propose.
    fn asks(&self, state: &State, seat: u8) -> Option<(Vec<(u8, Figure)>, bool)> {
        let seat = &state.seats[usize::from(seat)];
        let vote = seat.vote.as_ref()?;
        let look = self.look(seat);
        let vote = match self.flaw {
            Flaw::ChangesItsMind if vote.kept().is_some() => Vote::new(self.terms(0, true), None),
            _ => vote.clone(),
        };
        match vote.step(&look) {
            Step::Ask { roots, is_due } => Some((roots, is_due)),
            _ => None,
        }
    }

    /// All that may come back when these seats are asked for what they signed: each answers or not.
    fn answers(&self, state: &State, asked: &[(u8, Figure)]) -> Vec<Vec<(u8, Figure)>> {
        let mut all = vec![vec![]];
        for (seat, root) in asked {
            // A liar can only show the leaves of what it signed: others have another root.
            let possible: Vec<Figure> = match state.seats.get(usize::from(*seat)) {
                Some(honest) => honest.vote.as_ref().and_then(Vote::kept).copied().into_iter().collect(),
                None => vec![*root],
            };
            let with = possible.iter().flat_map(|figure| {
                all.iter().map(|answers| [answers.as_slice(), &[(*seat, *figure)]].concat()).collect::<Vec<_>>()
            });
            all = all.iter().cloned().chain(with).collect();
        }
        all
    }

    fn keep(&self, state: &mut State, seat: u8, figure: Figure) {
        let place = &mut state.seats[usize::from(seat)];
        place.journal = Some(figure);
        match (&mut place.vote, self.flaw) {
            (Some(vote), Flaw::ChangesItsMind) => *vote = Vote::new(self.terms(seat, true), Some(figure)),
            (Some(vote), _) => vote.keep(figure),
            (None, _) => {}
        }
    }

    fn sign(state: &mut State, seat: u8, figure: Figure) {
        state.seats[usize::from(seat)].signed.insert(figure);
        state.under_way.insert((seat, figure));
    }

    fn land(&self, state: &mut State, seat: u8, figure: Figure) {
        state.under_way.remove(&(seat, figure));
        // The program refuses a second signature.
        state.rows[usize::from(seat)].get_or_insert(figure);
        let votes = state.rows.iter().filter(|row| **row == Some(figure)).count();
        if votes * 10_000 > 6_000 * usize::from(self.count()) {
            state.accepted.insert(figure);
        }
    }

    /// A seat that is up looks, asks, and acts; all honest seats answer, liars if they like.
    fn turn(&self, state: &mut State, seat: u8, do_liars_answer: bool) {
        state.seats[usize::from(seat)].seen = state.rows.clone();
        if let Some((asked, is_due)) = self.asks(state, seat) {
            let answers: Vec<(u8, Figure)> = asked
                .iter()
                .filter(|(from, _)| do_liars_answer || usize::from(*from) < state.seats.len())
                .copied()
                .collect();
            match self.chosen(state, seat, &asked, &answers) {
                Some(figure) => self.keep(state, seat, figure),
                None if is_due => self.keep(state, seat, self.own[usize::from(seat)]),
                None => {}
            }
        }
        let place = &state.seats[usize::from(seat)];
        if let Some(Step::Sign(figure)) = place.vote.as_ref().map(|vote| vote.step(&self.look(place))) {
            Self::sign(state, seat, figure);
            self.land(state, seat, figure);
        }
    }

    fn chosen(&self, state: &State, seat: u8, asked: &[(u8, Figure)], answers: &[(u8, Figure)]) -> Option<Figure> {
        let vote = state.seats[usize::from(seat)].vote.as_ref()?;
        let answer = |from: u8| answers.iter().find(|(answering, _)| *answering == from).map(|(_, figure)| figure);
        vote.choose(asked, answer, |_, figure| self.agrees(seat, *figure)).map(|(_, figure)| *figure)
    }
}

impl Model for World {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let seat = |seat| Seat {
            vote: Some(Vote::new(self.terms(seat, true), None)),
            journal: None,
            seen: vec![None; usize::from(self.count())],
            due: 0,
            signed: BTreeSet::new(),
        };
        vec![State {
            seats: (0..self.own.len() as u8).map(seat).collect(),
            under_way: BTreeSet::new(),
            rows: vec![None; usize::from(self.count())],
            accepted: BTreeSet::new(),
            crashes: self.crashes,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for liar in self.own.len() as u8..self.count() {
            if state.rows[usize::from(liar)].is_none() {
                actions.extend(self.lies.iter().copied().map(|figure| Action::Lie(liar, figure)));
            }
        }
        let honest = (0u8..).zip(&state.seats);
        if self.is_prompt {
            let turns = honest.flat_map(|(seat, _)| [true, false].map(|answer| Action::Turn(seat, answer)));
            let turns: Vec<Action> = turns.filter(|turn| self.next_state(state, turn.clone()).is_some()).collect();
            // A turn comes long after everyone has heard the seat before.
            if turns.is_empty() && state.seats[0].due + 1 < self.count() {
                actions.push(Action::TickAll);
            }
            return actions.extend(turns);
        }
        for (seat, place) in honest {
            let Some(vote) = &place.vote else {
                actions.push(Action::Restart { seat, has_journal: true });
                actions.push(Action::Restart { seat, has_journal: false });
                continue;
            };
            if place.seen != state.rows {
                actions.push(Action::Look(seat));
            }
            // Two turns show what there is to show of one proposer following another.
            if place.due == 0 {
                actions.push(Action::Tick(seat));
            }
            if let Some((asked, is_due)) = self.asks(state, seat) {
                let answers = self.answers(state, &asked).into_iter();
                actions.extend(answers.map(|answers| Action::Choose(seat, answers)));
                if is_due {
                    let medians: BTreeSet<Figure> = self.own.iter().copied().collect();
                    let proposed = medians.into_iter().filter(|figure| self.agrees(seat, *figure));
                    actions.extend(proposed.map(|figure| Action::Propose(seat, figure)));
                }
            }
            if let Step::Sign(_) = vote.step(&self.look(place)) {
                actions.push(Action::Sign(seat));
            }
            if state.crashes > 0 {
                actions.push(Action::Crash(seat));
            }
        }
        actions.extend(state.under_way.iter().map(|(seat, figure)| Action::Land(*seat, *figure)));
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Look(seat) => state.seats[usize::from(seat)].seen = state.rows.clone(),
            Action::Tick(seat) => state.seats[usize::from(seat)].due += 1,
            Action::Choose(seat, answers) => {
                let (asked, _) = self.asks(&state, seat)?;
                let chosen = self.chosen(&state, seat, &asked, &answers)?;
                self.keep(&mut state, seat, chosen);
            }
            Action::Propose(seat, figure) => self.keep(&mut state, seat, figure),
            Action::Sign(seat) => {
                let place = &state.seats[usize::from(seat)];
                let Step::Sign(figure) = place.vote.as_ref()?.step(&self.look(place)) else { return None };
                Self::sign(&mut state, seat, figure);
            }
            Action::Land(seat, figure) => self.land(&mut state, seat, figure),
            Action::Crash(seat) => {
                state.crashes -= 1;
                state.seats[usize::from(seat)].vote = None;
            }
            Action::Restart { seat, has_journal } => {
                let was_up = self.flaw == Flaw::ForgetsThatItWasDown;
                let place = &mut state.seats[usize::from(seat)];
                place.journal = place.journal.filter(|_| has_journal);
                place.vote = Some(Vote::new(self.terms(seat, was_up), place.journal));
            }
            Action::Lie(liar, figure) => self.land(&mut state, liar, figure),
            Action::Turn(seat, answer) => self.turn(&mut state, seat, answer),
            Action::TickAll => state.seats.iter_mut().for_each(|seat| seat.due += 1),
        }
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::<Self>::always("no seat signs two roots", |_, state| {
                state.seats.iter().all(|seat| seat.signed.len() <= 1)
            }),
            Property::<Self>::always("one root is accepted", |_, state| state.accepted.len() <= 1),
            Property::<Self>::always("what is accepted is what honest seats saw", |world, state| {
                let fits = |figure: &Figure| world.own.iter().filter(|own| agrees(**own, *figure)).count();
                let needed = usize::from(world.count()) * 6 / 10 + 1 - usize::from(world.liars);
                state.accepted.iter().all(|figure| fits(figure) >= needed)
            }),
            Property::<Self>::sometimes("a report is accepted", |_, state| !state.accepted.is_empty()),
        ];
        if self.is_prompt {
            properties.push(Property::<Self>::eventually("a report is accepted in the end", |_, state| {
                !state.accepted.is_empty()
            }));
        }
        properties
    }
}

/// Three honest seats that saw a little of everything, and a fourth that lies.
fn world() -> World {
    World {
        own: vec![Figure(1), Figure(2), Figure(2)],
        liars: 1,
        first: 0,
        crashes: 0,
        lies: vec![Figure(1), FALSE],
        is_prompt: false,
        flaw: Flaw::None,
    }
}

/// Visits every state and returns how many there are, or the property that does not hold and the way there.
fn explore(world: World) -> Result<usize, String> {
    let checker = world.checker().threads(2).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let broken = checker.discoveries().into_iter().find(|(name, _)| *name != "a report is accepted");
    if let Some((name, path)) = broken {
        return Err(format!("{name}: {:?}", path.into_actions()));
    }
    assert!(checker.is_done() && checker.discovery("a report is accepted").is_some());
    Ok(checker.unique_state_count())
}

fn broken_by(world: World) -> String {
    explore(world).expect_err("the flaw is found")
}

#[test]
fn a_liar_changes_nothing_whoever_proposes_and_whatever_is_late() {
    for first in [0, 3] {
        let states = explore(World { first, ..world() }).unwrap();
        println!("first {first}: {states} states");
    }
}

#[test]
fn a_process_that_dies_and_loses_its_journal_signs_nothing_twice() {
    for own in [vec![Figure(1), Figure(2)], vec![Figure(1), Figure(3)]] {
        let states = explore(World { own, crashes: 2, ..world() }).unwrap();
        println!("{states} states");
    }
}

#[test]
fn when_nothing_is_late_a_report_is_accepted_whoever_proposes_and_whatever_a_liar_does() {
    for first in 0..4 {
        let lies = vec![Figure(1), Figure(2), FALSE];
        let states = explore(World { first, is_prompt: true, lies, ..world() }).unwrap();
        println!("first {first}: {states} states");
    }
}

#[test]
fn a_proposer_that_is_down_costs_its_turn_and_no_more() {
    explore(World { first: 3, is_prompt: true, lies: vec![], ..world() }).unwrap();
}

#[test]
fn the_checker_finds_what_is_broken_on_purpose() {
    let forgets = broken_by(World { crashes: 1, flaw: Flaw::ForgetsThatItWasDown, ..world() });
    assert!(forgets.starts_with("no seat signs two roots"), "{forgets}");
    let changes = broken_by(World { flaw: Flaw::ChangesItsMind, ..world() });
    assert!(changes.starts_with("no seat signs two roots"), "{changes}");
    let compares = broken_by(World { first: 3, flaw: Flaw::ComparesNothing, ..world() });
    assert!(compares.starts_with("what is accepted is what honest seats saw"), "{compares}");
}
