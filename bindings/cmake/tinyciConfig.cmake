# find_package(tinyci) gives two targets: tinyci::tinyci, the shared library, and tinyci::static.
# The prefix is the nearest directory above this file that contains include/tinyci.h.

set(_tinyci_prefix "${CMAKE_CURRENT_LIST_DIR}")
foreach(_tinyci_level RANGE 4)
    if(EXISTS "${_tinyci_prefix}/include/tinyci.h")
        break()
    endif()
    get_filename_component(_tinyci_prefix "${_tinyci_prefix}" DIRECTORY)
endforeach()

find_library(_tinyci_shared NAMES libtinyci.so libtinyci.dylib
    PATHS "${_tinyci_prefix}" PATH_SUFFIXES lib lib64 "lib/${CMAKE_LIBRARY_ARCHITECTURE}"
    NO_DEFAULT_PATH NO_CACHE)
find_library(_tinyci_static NAMES libtinyci.a
    PATHS "${_tinyci_prefix}" PATH_SUFFIXES lib lib64 "lib/${CMAKE_LIBRARY_ARCHITECTURE}"
    NO_DEFAULT_PATH NO_CACHE)

if(_tinyci_shared AND NOT TARGET tinyci::tinyci)
    add_library(tinyci::tinyci SHARED IMPORTED)
    set_target_properties(tinyci::tinyci PROPERTIES
        IMPORTED_LOCATION "${_tinyci_shared}"
        INTERFACE_INCLUDE_DIRECTORIES "${_tinyci_prefix}/include")
endif()
if(_tinyci_static AND NOT TARGET tinyci::static)
    # tinyci.pc lists the other libraries that it needs.
    get_filename_component(_tinyci_lib "${_tinyci_static}" DIRECTORY)
    file(STRINGS "${_tinyci_lib}/pkgconfig/tinyci.pc" _tinyci_private REGEX "^Libs.private:")
    string(REGEX REPLACE "^Libs.private:" "" _tinyci_private "${_tinyci_private}")
    separate_arguments(_tinyci_private)
    add_library(tinyci::static STATIC IMPORTED)
    set_target_properties(tinyci::static PROPERTIES
        IMPORTED_LOCATION "${_tinyci_static}"
        INTERFACE_INCLUDE_DIRECTORIES "${_tinyci_prefix}/include"
        INTERFACE_LINK_LIBRARIES "${_tinyci_private}")
endif()
if(NOT _tinyci_shared AND NOT _tinyci_static)
    set(tinyci_FOUND FALSE)
    set(tinyci_NOT_FOUND_MESSAGE "no libtinyci next to ${_tinyci_prefix}/include/tinyci.h")
endif()
