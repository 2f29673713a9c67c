# sluice_room(NAME SOURCES a.c part/b.c LINKS base PkgConfig::X): one static library. Its
# private headers are named from the room's own folder, whichever part includes them.
function(sluice_room name)
	cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS" ${ARGN})
	add_library(sluice_${name} STATIC ${ROOM_SOURCES})
	set_target_properties(sluice_${name} PROPERTIES
		INTERPROCEDURAL_OPTIMIZATION ${SLUICE_LTO})
	target_include_directories(sluice_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include
		PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
	foreach(link ${ROOM_LINKS})
		if(TARGET sluice_${link})
			target_link_libraries(sluice_${name} PUBLIC sluice_${link})
		else()
			target_link_libraries(sluice_${name} PRIVATE ${link})
		endif()
	endforeach()
endfunction()

# sluice_unit(ROOM FILE...): a Criterion program for each test_FILE.c.
function(sluice_unit room)
	foreach(file ${ARGN})
		set(name unit_${room}_${file})
		add_executable(${name} test_${file}.c)
		target_link_libraries(${name} PRIVATE sluice_${room} PkgConfig::CRITERION m)
		add_test(NAME unit.${room}.${file} COMMAND ${name})
		set_tests_properties(unit.${room}.${file} PROPERTIES
			FAIL_REGULAR_EXPRESSION "Sanitizer|runtime error:" LABELS unit TIMEOUT 120
			PROCESSORS 2) # Criterion runs several of a file at once
	endforeach()
endfunction()

# sluice_fuzz(ROOM NAME [SOURCES...]): tests/fuzz/NAME.c, for a bounded time on the kept
# corpus tests/fuzz/corpus/NAME; what it finds stays in the build directory.
function(sluice_fuzz room name)
	add_executable(fuzz_${name} ${name}.c ${ARGN})
	target_link_libraries(fuzz_${name} PRIVATE sluice_${room})
	target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
	target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
	set(found ${CMAKE_CURRENT_BINARY_DIR}/found/${name})
	file(MAKE_DIRECTORY ${found})
	add_test(NAME fuzz.${name} COMMAND fuzz_${name} -max_total_time=${SLUICE_FUZZ_SECONDS}
		-timeout=5 -artifact_prefix=${found}- ${found}
		${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
	set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz)
endfunction()
