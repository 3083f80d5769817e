//! Checks the files of each crate: no import cycles, no file too long, no function too long.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::*;

/// Maximum lines of a file, with its tests.
const MAX_FILE_LINES: usize = 400;
/// Maximum lines of a function, from its signature to its last brace.
const MAX_FUNCTION_LINES: usize = 80;

/// A module of a crate: `[]` is `lib.rs`, `["commit", "tests"]` is `commit/tests.rs`.
type Module = Vec<String>;

/// Parses the sources of the crate at `dir`, without those of its binaries.
fn modules(dir: &str) -> BTreeMap<Module, syn::File> {
    let src = repository().join(dir).join("src");
    let is_module = |path: &PathBuf| {
        path.starts_with(&src) && !path.ends_with("main.rs") && !path.starts_with(src.join("bin"))
    };
    let parsed = |path: PathBuf| {
        let name = path.strip_prefix(&src).unwrap().with_extension("");
        let mut module: Module = name.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        module.retain(|part| part != "lib" && part != "mod");
        let file = syn::parse_file(&fs::read_to_string(&path).unwrap());
        (module, file.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    };
    sources().into_iter().filter(is_module).map(parsed).collect()
}

/// All paths outside of tests, as their parts.
#[derive(Default)]
struct Paths {
    found: Vec<Vec<String>>,
    /// Depth of the current module within the file: this number of `super` leads to the file itself.
    depth: usize,
}

impl Paths {
    fn add(&mut self, path: Vec<String>) {
        let n_within = path.iter().take(self.depth).take_while(|part| *part == "super").count();
        self.found.push(path[n_within..].to_vec());
    }

    fn add_tree(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add(with(&name.ident)),
            syn::UseTree::Rename(rename) => self.add(with(&rename.ident)),
            syn::UseTree::Glob(_) => self.add(before.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(before, tree)),
        }
    }

    /// Adds the paths from the root of the crate in a macro, which is not parsed.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        for token in tokens {
            match token {
                TokenTree::Ident(name) => path.push(name.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == ':' => {}
                other => {
                    self.add_from_root(std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.add_tokens(group.stream());
                    }
                }
            }
        }
        self.add_from_root(path);
    }

    fn add_from_root(&mut self, path: Vec<String>) {
        if path.first().is_some_and(|part| part == "crate") {
            self.add(path);
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if !is_for_tests(&module.attrs) {
            self.depth += 1;
            visit::visit_item_mod(self, module);
            self.depth -= 1;
        }
    }

    /// Ignores the path in `pub(crate)`.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.add_tokens(call.tokens.clone());
    }
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
    })
}

/// Returns the modules that `from` names.
fn imports(from: &Module, file: &syn::File, all: &BTreeMap<Module, syn::File>) -> BTreeSet<Module> {
    let mut paths = Paths::default();
    paths.visit_file(file);
    let resolved = paths.found.into_iter().filter_map(|path| {
        // `crate` alone is the visibility of an item in a macro.
        let mut rest = path.as_slice();
        if rest == ["crate"] {
            return None;
        }
        let mut target = match rest.first()?.as_str() {
            "crate" => Vec::new(),
            "super" | "self" => from.clone(),
            _ => return None,
        };
        while let Some(first) =
            rest.first().filter(|part| ["crate", "super", "self"].contains(&part.as_str()))
        {
            if first == "super" {
                target.pop();
            }
            rest = &rest[1..];
        }
        for part in rest {
            let deeper = [&target[..], std::slice::from_ref(part)].concat();
            if !all.contains_key(&deeper) {
                break;
            }
            target = deeper;
        }
        Some(target)
    });
    resolved.filter(|target| target != from).collect()
}

/// Finds an import cycle that goes through `path` and back to its beginning.
fn circle(
    path: &mut Vec<Module>,
    imports: &BTreeMap<Module, BTreeSet<Module>>,
    done: &mut BTreeSet<Module>,
) -> bool {
    let Some(last) = path.last().cloned() else { return false };
    for next in &imports[&last] {
        if let Some(at) = path.iter().position(|module| module == next) {
            path.drain(..at);
            return true;
        }
        if done.contains(next) {
            continue;
        }
        path.push(next.clone());
        if circle(path, imports, done) {
            return true;
        }
        path.pop();
    }
    done.insert(last);
    false
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    for (dir, _) in IMPORTS {
        let all = modules(dir);
        let is_test = |module: &Module| module.iter().any(|part| part == "tests");
        // A module and its own children may name each other.
        let related = |a: &Module, b: &Module| a.starts_with(b) || b.starts_with(a);
        let graph: BTreeMap<Module, BTreeSet<Module>> = all
            .iter()
            .map(|(module, file)| {
                let mut named = if is_test(module) { BTreeSet::new() } else { imports(module, file, &all) };
                named.retain(|other| !related(module, other));
                (module.clone(), named)
            })
            .collect();
        let mut done = BTreeSet::new();
        for module in graph.keys() {
            let mut path = vec![module.clone()];
            let found = !done.contains(module) && circle(&mut path, &graph, &mut done);
            let shown: Vec<String> = path.iter().map(|module| module.join("/")).collect();
            assert!(!found, "{dir}: these files import each other in a circle: {}", shown.join(" -> "));
        }
    }
}

/// Checks that the re-exports of a crate are used by other crates only: its own files name the defining file.
#[test]
fn no_file_imports_from_the_root_of_its_crate() {
    for (dir, _) in IMPORTS {
        let all = modules(dir);
        for (module, file) in all.iter().filter(|(module, _)| module.len() > 1) {
            let test = module.iter().any(|part| part == "tests");
            let names_root = !test && imports(module, file, &all).contains(&Module::new());
            assert!(!names_root, "{dir}/src/{}.rs imports from lib.rs", module.join("/"));
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for path in sources().into_iter() {
        let n = fs::read_to_string(&path).unwrap().lines().count();
        assert!(n <= MAX_FILE_LINES, "{} has {n} lines; split it by subject", path.display());
    }
}

#[test]
fn no_function_is_too_long() {
    #[derive(Default)]
    struct Longest(usize, String);
    impl Longest {
        fn look(&mut self, signature: &syn::Signature, whole: proc_macro2::Span) {
            let n = 1 + whole.end().line - signature.span().start().line;
            if n > self.0 {
                *self = Self(n, signature.ident.to_string());
            }
        }
    }
    impl<'ast> Visit<'ast> for Longest {
        fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
            self.look(&function.sig, function.span());
            visit::visit_item_fn(self, function);
        }
        fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
            self.look(&function.sig, function.span());
            visit::visit_impl_item_fn(self, function);
        }
    }
    for path in sources().into_iter() {
        let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
        let mut longest = Longest::default();
        longest.visit_file(&file);
        let Longest(n, name) = longest;
        assert!(n <= MAX_FUNCTION_LINES, "{}: {name} has {n} lines; cut it by subject", path.display());
    }
}
