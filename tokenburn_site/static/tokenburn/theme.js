// Lets the admin's theme run under a policy that forbids eval. Alpine parses the expressions in the theme's templates
// instead of evaluating them; the few that its parser does not know (statements, arrow functions, globals) are replaced
// here. tests/e2e/browser/test_policy.py reads all templates of the theme, so that an update cannot add one unnoticed.
"use strict";

(() => {
  Object.assign(htmx.config, {
    allowEval: false,
    allowScriptTags: false,
    includeIndicatorStyles: false, // theme.css has them
    historyCacheSize: 0, // it would keep pages in the browser's storage after a logout
    refreshOnHistoryMiss: true,
  });

  const REPLACED = [
    [/^\{ (?:activeTab: '(.*?)', )?sidebarMobileOpen: false, .*$/, "pageState('$1')"],
    [/^activeTab = .* \$watch\('sidebarDesktopOpen'.*$/, ""],
    [/^sidebarDesktopOpen = !sidebarDesktopOpen; localStorage.*$/, "sidebarDesktopOpen = !sidebarDesktopOpen"],
    [/^activeTab && .*window\.location\.pathname.*$/, "addressOfTab(activeTab)"],
    [/^'width: ' \+ (\w+) \+ 'px'$/, "{width: $1 + 'px'}"],
    [/^if \((.*)\) (selectItem\(.*\))$/, "$1 && $2"],
    [/^(\w+ = [^;]+); (\w+ = [^;]+);?$/, "[$1, $2]"],
    [
      /^openSearchResults = false; if \(\$refs\.searchInput\.value === ''\) .*$/,
      "[openSearchResults = false, emptyOrLeave($refs.searchInput)]",
    ],
    [/^const \$ = django\.jQuery; .* \$\('(#\S+)'\); .* => \{ (\w+) = select\.val\(\); .*$/, "followSelect('$1', '$2')"],
  ];

  function pageState(firstTab) {
    return {
      activeTab: firstTab,
      sidebarMobileOpen: false,
      sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
      init() {
        this.activeTab = (firstTab && getCurrentTab()) || firstTab;
        this.$watch("sidebarDesktopOpen", (open) => localStorage.setItem("sidebarDesktopOpen", open ? "1" : "0"));
      },
      addressOfTab(tab) {
        const here = window.location.pathname + window.location.search;
        return tab && tab !== "general" ? `${here}#${tab}` : here;
      },
      emptyOrLeave(input) {
        if (input.value === "") input.blur();
        else input.value = "";
      },
      followSelect(selector, field) {
        django.jQuery(() => {
          const select = django.jQuery(selector);
          select.on("change", () => {
            this[field] = select.val();
          });
        });
      },
      moveRecords: (event) => moveRecords(event),
      sortRecords: (event) => sortRecords(event),
    };
  }

  function parsable(expression) {
    if (typeof expression !== "string") return expression; // what `x-bind` takes from an object
    const text = expression.trim().replace(/\s+/g, " ");
    for (const [pattern, replacement] of REPLACED) {
      if (pattern.test(text)) return text.replace(pattern, replacement);
    }
    return expression;
  }

  document.addEventListener("alpine:init", () => {
    Alpine.mapAttributes(({ name, value }) => ({ name, value: parsable(value) }));
    Alpine.data("pageState", pageState);
    Alpine.data("theme", (chosen) => theme(chosen));
    Alpine.data("searchForm", () => searchForm());
    Alpine.data("searchDropdown", () => searchDropdown());
    Alpine.data("searchCommand", () => searchCommand());
  });
})();
