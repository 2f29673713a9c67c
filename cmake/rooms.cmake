# sluice_room(NAME SOURCES a.c b.c LINKS base PkgConfig::X): one static library.
function(sluice_room name)
	cmake_parse_arguments(ROOM "" "" "SOURCES;LINKS" ${ARGN})
	add_library(sluice_${name} STATIC ${ROOM_SOURCES})
	target_include_directories(sluice_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include)
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
			FAIL_REGULAR_EXPRESSION "Sanitizer|runtime error:" LABELS unit TIMEOUT 120)
	endforeach()
endfunction()

# sluice_fuzz(ROOM NAME): tests/fuzz/NAME.c with the corpus tests/fuzz/corpus/NAME.
function(sluice_fuzz room name)
	add_executable(fuzz_${name} ${name}.c)
	target_link_libraries(fuzz_${name} PRIVATE sluice_${room})
	target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
	target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
