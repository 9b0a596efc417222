from tests.serving import site as site
