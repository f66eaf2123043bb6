//! Dependency order, alphabetical otherwise.

/// The most cycles that are told of: each may be as long as the recipe.
const MOST_CYCLES: usize = 20;

/// The order in which nodes are processed, or the cycles that were met, the first 20: each as the nodes along it.
///
/// It is what XOS's engine does: starting from each node by name, first what it depends on, then itself.
pub(super) fn order(names: &[&str], depends_on: &[Vec<usize>]) -> Result<Vec<usize>, Vec<Vec<usize>>> {
    #[derive(Copy, Clone, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let sorted = |mut nodes: Vec<usize>| {
        nodes.sort_by_key(|node| names.get(*node).copied());
        nodes.dedup();
        nodes
    };
    let mut states = vec![State::New; names.len()];
    let mut ordered = Vec::with_capacity(names.len());
    let mut cycles = Vec::new();
    for start in sorted((0..names.len()).collect()) {
        if states[start] != State::New {
            continue;
        }
        states[start] = State::Open;
        // A chain may be as long as the recipe, so the way down is kept here and not on the thread's stack.
        let mut way = vec![(start, sorted(depends_on[start].clone()).into_iter())];
        while let Some((node, rest)) = way.last_mut() {
            let node = *node;
            let Some(next) = rest.next() else {
                states[node] = State::Done;
                ordered.push(node);
                way.pop();
                continue;
            };
            match states[next] {
                State::Done => {}
                State::New => {
                    states[next] = State::Open;
                    way.push((next, sorted(depends_on[next].clone()).into_iter()));
                }
                State::Open if cycles.len() == MOST_CYCLES => {}
                State::Open => {
                    let from = way.iter().position(|(node, _)| *node == next).unwrap_or(0);
                    cycles.push(way[from..].iter().map(|(node, _)| *node).collect());
                }
            }
        }
    }
    if cycles.is_empty() { Ok(ordered) } else { Err(cycles) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], edges: &[(usize, usize)], expected: Result<&[&str], &[&str]>) {
        let mut depends_on = vec![Vec::new(); names.len()];
        for (from, to) in edges {
            depends_on[*from].push(*to);
        }
        let name = |node: &usize| names[*node];
        match (order(names, &depends_on), expected) {
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.iter().map(name).collect::<Vec<_>>(), expected);
            }
            (Err(found), Err(expected)) => {
                let found: Vec<String> =
                    found.iter().map(|cycle| cycle.iter().map(name).collect::<Vec<_>>().join(" ")).collect();
                assert_eq!(found, expected);
            }
            (found, expected) => panic!("found {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_depends_on_nothing_is_in_alphabetical_order() {
        check(
            &["service", "constraints", "serviceinstance"],
            &[],
            Ok(&["constraints", "service", "serviceinstance"]),
        );
    }

    #[test]
    fn what_is_depended_on_comes_first() {
        check(&["a", "b", "c", "d"], &[(0, 3), (0, 2), (3, 2)], Ok(&["c", "d", "a", "b"]));
    }

    #[test]
    fn cycles_are_named_and_end() {
        check(&["a", "b", "c"], &[(0, 1), (1, 2), (2, 0)], Err(&["a b c"]));
        check(&["a", "b"], &[(0, 0), (1, 1)], Err(&["a", "b"]));
        check(&["a", "b", "c"], &[(0, 1), (1, 2), (2, 1)], Err(&["b c"]));
    }

    #[test]
    fn of_many_long_cycles_some_are_told() {
        let names: Vec<String> = (0..20_000).map(|at| format!("n{at:06}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        // Each leads to the next one and back to the first.
        let depends_on: Vec<Vec<usize>> =
            (0..names.len()).map(|at| vec![0, (at + 1) % names.len()]).collect();
        let cycles = order(&names, &depends_on).unwrap_err();
        assert_eq!((cycles.len(), cycles[0].as_slice(), cycles[1].as_slice()), (20, &[0][..], &[0, 1][..]));
    }

    #[test]
    fn a_long_chain_does_not_need_a_deep_stack() {
        let names: Vec<String> = (0..100_000).map(|at| format!("n{at:06}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let depends_on: Vec<Vec<usize>> =
            (0..names.len()).map(|at| if at + 1 < names.len() { vec![at + 1] } else { vec![] }).collect();
        assert_eq!(order(&names, &depends_on).unwrap()[0], names.len() - 1);
    }
}
