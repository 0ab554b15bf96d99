// Lists in which each entry has a constant here and a name in Python: written once as
//     #define THINGS(EACH) EACH(ONE, "one") EACH(OTHER, "other")
// they give an enumeration, and the names that Python reads from the library.
#pragma once

#define CONSTANT_OF(constant, name) constant,
#define NAME_OF(constant, name) name " "
